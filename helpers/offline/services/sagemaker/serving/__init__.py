"""What a container answers to /invocations: one module for each built-in algorithm."""
