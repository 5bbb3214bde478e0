"""Creating and changing functions: checked as AWS checks, kept by moto, and an environment started ahead."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.utils import iso_8601_datetime_with_nanoseconds

from helpers.offline import fallthrough
from helpers.offline.authorization import find_role
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.functions import destinations, existing, lookup, package
from helpers.offline.services.functions.event_settings import EventSettings
from helpers.offline.services.functions.service import FunctionService

PYTHON_RUNTIME = re.compile(r"python3\.\d+")
VARIABLES_LIMIT_BYTES = 4096

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED_VARIABLES = re.compile(
    "_HANDLER|_X_AMZN_TRACE_ID|AWS_DEFAULT_REGION|AWS_REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_FUNCTION_NAME|"
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE|AWS_LAMBDA_FUNCTION_VERSION|AWS_LAMBDA_INITIALIZATION_TYPE|"
    "AWS_LAMBDA_LOG_GROUP_NAME|AWS_LAMBDA_LOG_STREAM_NAME|AWS_ACCESS_KEY|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|"
    "AWS_SESSION_TOKEN|AWS_LAMBDA_RUNTIME_API|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR"
)
NOT_OFFLINE = {
    "Layers": "layers",
    "ImageConfig": "container images",
    "FileSystemConfigs": "file systems",
    "CodeSigningConfigArn": "code signing",
    "VpcConfig": "networks of their own (VpcConfig)",
    "CapacityProviderConfig": "capacity providers",
    "DurableConfig": "durable executions",
}


class Control:
    """Hot paths around moto: what comes in is checked, what was made is warmed up."""

    def __init__(self, kernel: Kernel, service: FunctionService) -> None:
        self.kernel = kernel
        self.service = service
        self.event_settings = EventSettings(kernel)

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateFunction": self.create,
            "UpdateFunctionCode": self.update_code,
            "UpdateFunctionConfiguration": self.update_configuration,
            "DeleteFunction": self.delete,
            "AddPermission": self.add_permission,
            "PutFunctionConcurrency": self.put_concurrency,
            "PutFunctionEventInvokeConfig": self.event_settings.put,
            "UpdateFunctionEventInvokeConfig": self.event_settings.update,
            "GetFunctionEventInvokeConfig": self.event_settings.get,
            "DeleteFunctionEventInvokeConfig": self.event_settings.delete,
            "ListFunctionEventInvokeConfigs": self.event_settings.list,
        }

    def create(self, call: Call) -> Answer:
        self.kernel.background(self.service.pool.launcher.warm_up)
        request = json.loads(call.body)
        name = request["FunctionName"]
        if not re.fullmatch(r"[\w-]{1,64}", name.rsplit(":", 1)[-1]):
            raise constraint(name, "functionName", "Member must have length less than or equal to 64")
        if request.get("PackageType", "Zip") != "Zip":
            raise unsupported("functions of container images")
        if not request.get("Runtime") or not request.get("Handler"):
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        check_configuration(request)
        self.check_role(request["Role"])
        self._check_letters(request, request["Role"])
        self._inline_code(request["Code"], call)
        answer = self._ask_moto(call, request)
        if answer.status < 300:
            target = self._target(name, call)
            target.function.code.pop("ZipFile", None)  # moto keeps the code twice
            target.function.dead_letter_config = request.get("DeadLetterConfig")
            self._warm_up(target)
        return answer

    def update_code(self, call: Call) -> Answer:
        request = json.loads(call.body)
        self._check_revision(request, self._target(_name(call), call))
        if request.get("ImageUri"):
            raise unsupported("functions of container images")
        self._inline_code(request, call)
        answer = self._ask_moto(call, request)
        if answer.status < 300 and not request.get("DryRun"):
            target = self._target(_name(call), call)
            answer = self._touched(target, answer)
            target.function.code.pop("ZipFile", None)
            self._warm_up(target)
        return answer

    def update_configuration(self, call: Call) -> Answer:
        request = json.loads(call.body)
        self._check_revision(request, self._target(_name(call), call))
        check_configuration(request)
        if "Role" in request:
            self.check_role(request["Role"])
        if "Environment" in request:
            request["Environment"].setdefault("Variables", {})
        if request.get("DeadLetterConfig"):
            self._check_letters(request, request.get("Role") or self._target(_name(call), call).function.role)
        answer = self._ask_moto(call, request)
        if answer.status < 300:
            target = self._target(_name(call), call)
            if "DeadLetterConfig" in request:
                target.function.dead_letter_config = request["DeadLetterConfig"]
            answer = self._touched(target, answer)
            self._warm_up(target)
        return answer

    def delete(self, call: Call) -> Answer:
        target = self._target(_name(call), call)
        existing.check_version_may_go(call, target)
        answer = self._ask_moto(call)
        if answer.status < 300 and target.qualifier is None:
            self.service.pool.retire(target.arn)
        return answer

    def add_permission(self, call: Call) -> Answer:
        request = json.loads(call.body)
        target = self._target(_name(call), call)
        sid = request.get("StatementId")
        if any(statement.get("Sid") == sid for statement in target.function.policy.statements):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
                "existing statement.",
                409,
                Type="User",
            )
        principal = named_principal(call.account_id, request["Principal"])
        answer = self._ask_moto(call)
        if answer.status < 300 and principal is not None:  # moto takes every name for a service's
            statement = next(one for one in target.function.policy.statements if one.get("Sid") == sid)
            statement["Principal"] = principal
            answer.body = json.dumps({"Statement": json.dumps(statement)}).encode()
        return answer

    def put_concurrency(self, call: Call) -> Answer:
        wanted = json.loads(call.body).get("ReservedConcurrentExecutions")
        if not isinstance(wanted, int) or wanted < 0:
            raise constraint(
                wanted, "reservedConcurrentExecutions", "Member must have value greater than or equal to 0"
            )
        existing.check_reserved(call, self._target(_name(call), call), wanted)
        return self._ask_moto(call)

    def _check_letters(self, request: dict[str, Any], role_arn: str) -> None:
        target = (request.get("DeadLetterConfig") or {}).get("TargetArn")
        if target:
            if target.split(":")[2] not in ("sqs", "sns"):
                raise invalid(f"The dead-letter target {target} is neither a queue nor a topic.")
            destinations.check(self.kernel, role_arn, target)

    # --- pieces ---

    def _touched(self, target: lookup.Target, answer: Answer) -> Answer:
        """The answer with the moment of this change."""
        latest = lookup.find(target.function.function_name, self.kernel.account_id, target.function.region).function
        latest.last_modified = iso_8601_datetime_with_nanoseconds()
        configuration = latest.get_configuration()
        kept = {name: configuration[name] for name in ("LastModified", "RevisionId")}
        answer.body = json.dumps(json.loads(answer.body) | kept).encode()
        return answer

    def _check_revision(self, request: dict[str, Any], target: lookup.Target) -> None:
        wanted = request.get("RevisionId")
        if wanted and wanted != target.function.get_configuration().get("RevisionId"):
            raise AwsError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
                "retrieve the latest Revision Id",
                412,
                Type="User",
            )

    def _ask_moto(self, call: Call, request: dict[str, Any] | None = None) -> Answer:
        if request is not None:
            call.body = json.dumps(request).encode()
        self.kernel.mark_dirty("lambda")
        return fallthrough.ask_moto(call)

    def _target(self, name: str, call: Call) -> lookup.Target:
        qualifier = parse_qs(call.query).get("Qualifier", [None])[0]
        return lookup.find(name, call.account_id, call.region, qualifier)

    def _inline_code(self, code: dict[str, Any], call: Call) -> None:
        """Replaces S3Bucket and S3Key by the object, and checks the zip."""
        if code.get("ImageUri"):
            raise unsupported("functions of container images")
        if code.get("S3Bucket"):
            try:
                archive = self.kernel.ports.objects.get(code.pop("S3Bucket"), code.pop("S3Key", ""))
            except AwsError as error:
                raise invalid(
                    f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
                ) from error
            code.pop("S3ObjectVersion", None)
        else:
            try:
                archive = base64.b64decode(code.get("ZipFile") or "", validate=True)
            except binascii.Error as error:
                raise invalid(
                    "Could not unzip uploaded file. Please check your file, then try to upload again."
                ) from error
            if len(archive) > package.ZIPPED_LIMIT_BYTES:
                raise AwsError(
                    "RequestEntityTooLargeException",
                    f"Zipped size must be smaller than {package.ZIPPED_LIMIT_BYTES} bytes",
                    413,
                    Type="User",
                )
        package.check(archive)
        code["ZipFile"] = base64.b64encode(archive).decode()

    def check_role(self, arn: str) -> None:
        """AWS refuses a role that does not exist, or whose trust policy does not name Lambda."""
        from moto.iam.models import iam_backends

        if not re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:role/.+", arn):
            raise constraint(
                arn,
                "role",
                "Member must satisfy regular expression pattern: "
                "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
            )
        for role in list(iam_backends[self.kernel.account_id]["aws"].roles.values()):
            if role.arn == arn:
                trust = role.assume_role_policy_document or ""
                if "lambda.amazonaws.com" in (trust if isinstance(trust, str) else json.dumps(trust)):
                    return
        raise invalid("The role defined for the function cannot be assumed by Lambda.")

    def _warm_up(self, target: lookup.Target) -> None:
        self.kernel.background(self.service.pool.start_ahead, lookup.settings_of(target.function))


def check_configuration(request: dict[str, Any]) -> None:
    """What CreateFunction and UpdateFunctionConfiguration have in common."""
    runtime = request.get("Runtime")
    if runtime is not None and not PYTHON_RUNTIME.fullmatch(runtime):
        raise unsupported(f"the runtime {runtime} (Python functions only, on the Python that runs the server)")
    if (request.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise unsupported("SnapStart")
    logging = request.get("LoggingConfig") or {}
    if logging.get("LogFormat", "Text") != "Text" or logging.get("LogGroup"):
        raise unsupported("logs in JSON or in a group of one's own (LoggingConfig)")
    for member, what in NOT_OFFLINE.items():
        value = request.get(member)
        if value and (not isinstance(value, dict) or any(value.values())):
            raise unsupported(what)
    for member, low, high in (("Timeout", 1, 900), ("MemorySize", 128, 10240)):
        value = request.get(member)
        if value is not None and not low <= value <= high:
            bound = f"greater than or equal to {low}" if value < low else f"less than or equal to {high}"
            raise constraint(value, member[0].lower() + member[1:], f"Member must have value {bound}")
    variables = (request.get("Environment") or {}).get("Variables") or {}
    reserved = sorted(filter(RESERVED_VARIABLES.fullmatch, variables))
    complaint = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
    )
    if reserved:
        raise invalid(
            f"{complaint}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    text = json.dumps(variables, separators=(",", ":"))
    if len(text.encode()) > VARIABLES_LIMIT_BYTES:
        raise invalid(f"{complaint}exceeded the 4KB limit. String measured: {text}")
    for key in variables:
        if not re.fullmatch(r"[a-zA-Z]\w+", key):
            raise constraint(
                "{" + key + "=" + variables[key] + "}",
                "environment.variables",
                "Map keys must satisfy constraint: "
                "[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
            )


def named_principal(account_id: str, name: str) -> dict[str, str] | None:
    """An account or a role as a policy names it; None for services and everybody. Raises AwsError for no role."""
    if re.fullmatch(r"\d{12}", name):
        return {"AWS": f"arn:aws:iam::{name}:root"}
    if not name.startswith("arn:"):
        return None
    if f"::{account_id}:role/" in name and find_role(account_id, name) is None:
        raise invalid("The provided principal was invalid. Please check the principal and try again.")
    return {"AWS": name}


def _name(call: Call) -> str:
    return unquote(call.path_parameters.get("FunctionName") or call.path.split("/")[3])


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")


def constraint(value: object, member: str, rule: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}",
    )


def unsupported(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The offline AWS's Lambda does not support {what}. On AWS this may work.", 501)
