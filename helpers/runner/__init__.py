"""Runs the four labs from end to end, as a learner would, and writes what came of it."""
