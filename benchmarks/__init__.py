"""What `make bench` runs: each figure beside a named peer's, measured in the same run."""
