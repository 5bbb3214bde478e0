"""The live competition: enter, watch and play rounds from a notebook."""
