"""The first answer of a function that imports boto3, against the same handler in a fresh Python; then a second one."""

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.functions import create, zipped
from benchmarks.local_aws import local_aws
from benchmarks.models import role
from benchmarks.ratio import Ratio, in_turn, show

HANDLER = """
import boto3
import time

def handler(event, context):
    time.sleep(event.get("hold_s", 0))
    return {"answer": boto3.__version__}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        (Path(folder) / "app.py").write_text(HANDLER)
        functions = aws.client("lambda")
        create(functions, "cold", HANDLER, role(aws.client("iam")))
        number = 0

        def first_answer() -> float:
            """New code makes new environments: the time from then to the answer."""
            nonlocal number
            number += 1
            code = zipped(HANDLER + f"\n# {number}\n")
            started = time.perf_counter()
            functions.update_function_code(FunctionName="cold", ZipFile=code)
            functions.invoke(FunctionName="cold", Payload=b"{}")["Payload"].read()
            return time.perf_counter() - started

        def second_environment() -> float:
            """Two calls at once need two environments; the first is warm and held."""
            first_answer()
            with ThreadPoolExecutor(1) as pool:
                held = pool.submit(functions.invoke, FunctionName="cold", Payload=b'{"hold_s": 1.5}')
                time.sleep(0.3)
                started = time.perf_counter()
                functions.invoke(FunctionName="cold", Payload=b"{}")["Payload"].read()
                seconds = time.perf_counter() - started
                held.result()
            return seconds

        def fresh_python() -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import app; app.handler({}, None)"], cwd=folder, check=True)
            return time.perf_counter() - started

        first_answer()
        first = in_turn([first_answer, fresh_python], 7)
        second = in_turn([second_environment, fresh_python], 5)
    show(
        "A Lambda function that imports boto3",
        [
            Ratio(
                "a Lambda function that imports boto3, first answer",
                "the same handler in a fresh Python",
                *first,
                "s",
                1.2,
                False,
            ),
            Ratio("a second environment of it at once", "the same handler in a fresh Python", *second, "s", 0.3, False),
        ],
    )


if __name__ == "__main__":
    main()
