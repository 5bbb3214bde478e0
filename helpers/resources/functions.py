"""Lambda functions: zip one file of helpers/lambdas, the same bytes each time, and deploy it."""

import io
import zipfile
from pathlib import Path

from botocore.exceptions import ClientError

from helpers.workshop import Workshop

FOLDER = Path(__file__).resolve().parent.parent / "lambdas"
RUNTIME = "python3.12"
LONGEST_WAIT_S = 60


def source(module: str) -> str:
    """The code of helpers/lambdas/<module>.py, to read."""
    return (FOLDER / f"{module}.py").read_text()


def zip_of(module: str) -> bytes:
    """A zip archive that holds <module>.py; without today's date in it, so that equal code gives equal bytes."""
    return zip_text(f"{module}.py", source(module))


def zip_text(file_name: str, code: str) -> bytes:
    """A zip archive of one file with this code."""
    entry = zipfile.ZipInfo(file_name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(entry, code)
    return archive.getvalue()


def deploy(
    ws: Workshop,
    function: str,
    module: str,
    role: str,
    environment: dict[str, str] | None = None,
    timeout_s: int = 10,
    memory_mb: int = 256,
) -> str:
    """Create the function, or bring its code and settings up to date. Returns its ARN.

    Parameters
    ----------
    function : name without the participant's prefix, such as "LiveInferenceLambdaFunction"
    module : file of helpers/lambdas without ".py"; its `handler` is called
    role : purpose of the role, see roles.py
    """
    client = ws.client("lambda")
    settings = {
        "Role": ws.role_arn(role),
        "Handler": f"{module}.handler",
        "Runtime": RUNTIME,
        "Timeout": timeout_s,
        "MemorySize": memory_mb,
        "Environment": {"Variables": environment or {}},
    }
    name = ws.name(function)
    if exists(ws, function):
        client.update_function_configuration(FunctionName=name, **settings)
        wait_until_ready(ws, function)
        client.update_function_code(FunctionName=name, ZipFile=zip_of(module))
    else:
        client.create_function(FunctionName=name, Code={"ZipFile": zip_of(module)}, Tags=ws.tag_map, **settings)
    wait_until_ready(ws, function)
    return ws.arn("lambda", f"function:{name}")


def exists(ws: Workshop, function: str) -> bool:
    """Whether the function is there."""
    try:
        ws.client("lambda").get_function_configuration(FunctionName=ws.name(function))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return False
        raise
    return True


def wait_until_ready(ws: Workshop, function: str) -> None:
    """Wait until the function has taken on its last change: on AWS this takes some seconds."""
    waiting = {"Delay": 1, "MaxAttempts": LONGEST_WAIT_S}
    for state in ("function_active_v2", "function_updated_v2"):
        ws.client("lambda").get_waiter(state).wait(FunctionName=ws.name(function), WaiterConfig=waiting)


def allow_invocation(ws: Workshop, function: str, service: str, source_arn: str) -> None:
    """Let an AWS service (such as "sns") call the function on behalf of one of your resources."""
    with ws.unless_it_exists():
        ws.client("lambda").add_permission(
            FunctionName=ws.name(function),
            StatementId=f"from-{service}",
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
            SourceArn=source_arn,
        )
