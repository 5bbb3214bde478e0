"""The workshop's own code: what the labs use, and the offline AWS they run against."""

import importlib.util
import os
import sys


def _need_environment() -> None:
    """One sentence instead of a traceback for who runs this with a Python that the workshop was not set up for."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ or all(map(importlib.util.find_spec, ("boto3", "filelock", "rich"))):
        return
    sentence = (
        f"The workshop is not set up for this Python ({sys.executable}). Run `make setup` (or `python3 bootstrap.py`) "
        "in the workshop's folder once, then use its .venv: `.venv/bin/python`, or JupyterLab by `make lab`."
    )
    raise SystemExit(sentence) if sys.argv[0] == "-m" else ImportError(sentence)


_need_environment()
