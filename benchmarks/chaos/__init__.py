"""The offline AWS killed at random moments under load: what was acknowledged is there, whole, after the restart."""
