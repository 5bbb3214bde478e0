"""Edge compute as a Lambda function (`EdgeComputeLambdaFunction`), and the zip that holds it.

Handler: `helpers.fulfillment.edge_lambda.handler`. Its settings come from the event of the invocation or, in capitals,
from an environment variable:

| event | environment variable | meaning | default |
|---|---|---|---|
| | LIVE_INFERENCE_API_GATEWAY_URL | asked about each interaction | not asked |
| | TOPIC_ARN | SNS topic that gets the samples | not published |
| | METRICS, NAMESPACE | 1 = put the error metric, into this namespace | 0, FulfillmentWorkshop |
| fc, scenario | FC, SCENARIO | fulfillment centre; name of a scenario, as "peak-season" | FC-ASPEN, none |
| rate, seconds | RATE, SECONDS | interactions per second; how long to play, in seconds | 5, 20 |
| speed | SPEED | warehouse seconds per second | 60 |
| timeout_s | TIMEOUT_S | until a question counts as failed, in seconds | 3 |
| seed | SEED | of the stream | from the request's id: new for each, the same for a retry |

boto3 is part of Lambda's runtime; numpy comes in the zip.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from helpers.fulfillment.columns import FCS
from helpers.fulfillment.edge import EdgeCompute
from helpers.fulfillment.scenarios import SCENARIOS

HANDLER = "helpers.fulfillment.edge_lambda.handler"
MODULES = (
    "__init__", "clock", "columns", "counts", "edge", "edge_lambda", "error_metrics", "identities",
    "inference_client", "interactions", "items", "lines", "mischief", "parameters", "people", "process", "publisher",
    "scenarios", "work",
)  # fmt: skip
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ZIPPED_LIMIT_BYTES = 50 * 1024**2  # in the request itself; beyond, through S3
UNZIPPED_LIMIT_BYTES = 250 * 1024**2
PATIENCE_S = 10.0  # after the last interaction, for what the network has not taken yet
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same zip, byte for byte, whenever it is made


def handler(event: dict, context: object) -> dict[str, object]:
    """Play the fulfillment centre for a while. Returns the seed and the counts, and prints them to the log.

    Raises ValueError for a setting that cannot be, and where the function's time-out would cut the play short.
    """
    import boto3

    seconds = _setting(event, "seconds", float, 20.0)
    timeout_s = _setting(event, "timeout_s", float, 3.0)
    needed_s = seconds + timeout_s + PATIENCE_S
    left_s = context.get_remaining_time_in_millis() / 1000.0
    if needed_s > left_s:
        raise ValueError(
            f"{seconds:g} s of play, {timeout_s:g} s for the last answers and {PATIENCE_S:g} s for the last messages "
            f"do not fit into the {left_s:.0f} s that are left: give the function a Timeout of at least "
            f"{needed_s + 2:.0f} s, or play for less."
        )
    topic_arn = os.environ.get("TOPIC_ARN") or None
    scenario = _setting(event, "scenario", str, "")
    if scenario and scenario not in SCENARIOS:
        raise ValueError(f"There is no scenario {scenario!r}; there are {', '.join(sorted(SCENARIOS))}.")
    seed = _setting(event, "seed", int, _seed(context.aws_request_id))
    edge = EdgeCompute(
        _setting(event, "fc", str, FCS[0]),
        _setting(event, "rate", float, 5.0),
        seed,
        sns=boto3.client("sns") if topic_arn else None,
        topic_arn=topic_arn,
        live_inference_url=os.environ.get("LIVE_INFERENCE_API_GATEWAY_URL") or None,
        cloudwatch=boto3.client("cloudwatch") if os.environ.get("METRICS") == "1" else None,
        namespace=os.environ.get("NAMESPACE") or "FulfillmentWorkshop",
        scenario=SCENARIOS[scenario] if scenario else None,
        speed=_setting(event, "speed", float, 60.0),
        timeout_s=timeout_s,
        patience_s=PATIENCE_S,
    )
    told = {"seed": seed, **edge.run(seconds)}
    if edge.last_error is not None:
        told["last_error"] = str(edge.last_error)
    print(json.dumps(told))
    return told


def package(path: Path, runtime: str | None = None, architecture: str = "x86_64") -> Path:
    """Write the function's zip to `path`: the modules that it needs, and numpy.

    Parameters: runtime ("python3.12" or "python3.13") and architecture ("x86_64" or "arm64") of the function on AWS;
    without a runtime, a zip for the offline AWS, which runs functions on the Python that runs the workshop.
    Raises ValueError for another runtime or a zip that Lambda would refuse, NumpyUnavailable (numpy_wheel.py) where
    numpy for it is not installed here and cannot be downloaded. Nothing is left at `path` then.
    """
    from helpers.fulfillment import numpy_wheel

    here = Path(__file__).resolve().parent
    files = {f"helpers/fulfillment/{name}.py": (here / f"{name}.py").read_bytes() for name in MODULES}
    files["helpers/__init__.py"] = b""  # the workshop's own looks for what only a learner's machine has
    files |= numpy_wheel.files(runtime, architecture)
    if (size := sum(map(len, files.values()))) > UNZIPPED_LIMIT_BYTES:
        raise ValueError(
            f"Unzipped the package has {size / 1e6:.0f} MB; Lambda takes {UNZIPPED_LIMIT_BYTES / 1e6:.0f}."
        )
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, content in sorted(files.items()):
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.external_attr = 0o644 << 16  # Lambda runs as another user than the one who unpacks
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def code(path: Path, *, s3: object = None, bucket: str | None = None) -> dict[str, object]:
    """What `create_function(Code=…)` takes for the zip: its bytes, or its place in S3 where it is too large for them.

    Parameters: the zip; boto3's S3 client and a bucket in the function's region, for a zip beyond 50 MB.
    """
    if path.stat().st_size <= ZIPPED_LIMIT_BYTES:
        return {"ZipFile": path.read_bytes()}
    if s3 is None or bucket is None:
        raise ValueError(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB: beyond 50 MB give s3= and bucket=.")
    s3.upload_file(str(path), bucket, path.name)
    return {"S3Bucket": bucket, "S3Key": path.name}


def policy(topic_arn: str, namespace: str = "FulfillmentWorkshop") -> dict[str, object]:
    """What the function's role must be allowed beside writing its log (AWSLambdaBasicExecutionRole)."""
    metrics = {
        "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": namespace}},
    }  # fmt: skip
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic_arn}
    return {"Version": "2012-10-17", "Statement": [publish, metrics]}


def _setting(event: dict, name: str, kind: Callable[[object], object], default: object) -> object:
    """A setting from the event, else from the environment, else the default."""
    value = event.get(name, os.environ.get(name.upper()) or default)
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {kind.__name__}, got {value!r} (event or {name.upper()}).") from None


def _seed(request_id: str) -> int:
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:4]) >> 1
