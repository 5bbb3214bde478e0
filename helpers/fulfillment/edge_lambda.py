"""Edge compute as a Lambda function (`EdgeComputeLambdaFunction`), and the zip that holds it.

Handler: `helpers.fulfillment.edge_lambda.handler`. Environment variables: LIVE_INFERENCE_API_GATEWAY_URL (asked about
each interaction), TOPIC_ARN (gets the samples), FC, RATE (per second, 5), SECONDS (per invocation, 20), SPEED (60),
METRICS (1 = put the error metric). An event may override `seed`, `rate` and `seconds`. Beside the zip the function
needs numpy: on AWS the public layer AWSSDKPandas holds it; boto3 is part of the Lambda runtime.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from helpers.fulfillment.columns import FCS
from helpers.fulfillment.edge import EdgeCompute

MODULES = (
    "__init__", "columns", "counts", "edge", "edge_lambda", "error_metrics", "identities", "inference_client",
    "interactions", "items", "lines", "mischief", "parameters", "people", "process", "publisher", "scenarios", "work",
)  # fmt: skip
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same zip, byte for byte, whenever it is made


def handler(event: dict, context: object) -> dict[str, int]:
    """Play the fulfillment centre for a while; the counts."""
    import boto3

    environment = os.environ
    topic_arn = environment.get("TOPIC_ARN")
    edge = EdgeCompute(
        environment.get("FC", FCS[0]),
        float(event.get("rate", environment.get("RATE", 5))),
        int(event.get("seed", 0)),
        sns=boto3.client("sns") if topic_arn else None,
        topic_arn=topic_arn or None,
        live_inference_url=environment.get("LIVE_INFERENCE_API_GATEWAY_URL") or None,
        cloudwatch=boto3.client("cloudwatch") if environment.get("METRICS") == "1" else None,
        speed=float(environment.get("SPEED", 60)),
    )
    return edge.run(float(event.get("seconds", environment.get("SECONDS", 20))))


def package(path: Path) -> Path:
    """Write the function's zip to `path`: this package's modules that need numpy and the standard library alone."""
    here = Path(__file__).resolve().parent
    files = {f"helpers/fulfillment/{name}.py": (here / f"{name}.py").read_bytes() for name in MODULES}
    files["helpers/__init__.py"] = b""  # the workshop's own looks for what only a learner's machine has
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return path
