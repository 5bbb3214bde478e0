"""One package for each AWS service: `install(kernel)` registers what it does, `OPERATIONS` says how far that goes."""
