"""`python -m helpers.preflight`: what is missing on this machine, or in this AWS account, before a class begins.

Every line is `ok`, `PROBLEM` with what to do, or `not checked` with the reason: what only AWS can say is not guessed.
"""

import argparse
import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from helpers.resources import model_training, teardown
from helpers.workshop import Workshop, WorkshopError
from helpers.workshop.connection import open_workshop

ROOT = Path(__file__).resolve().parents[1]
LOCK = "requirements.txt"
FREE_DISK_MB, FREE_MEMORY_MB = 500, 2000
IMAGES = {"linear-learner": "1", "knn": "1", "xgboost": model_training.XGBOOST_VERSION}
QUOTAS = {  # what one learner needs at the same time: SageMaker's name of the quota -> how many
    f"{model_training.INSTANCE} for training job usage": 3,  # lab 2 trains three algorithms side by side
    f"{model_training.INSTANCE} for endpoint usage": 6,  # one's own, its second while it is updated, and the house's
}
NEEDED = (  # (actions, resource), with the names that lab 1 to 4 use
    (("s3:CreateBucket", "s3:PutBucketTagging", "s3:ListBucket"), "arn:{partition}:s3:::{prefix}samples-{account}"),
    (("s3:PutObject", "s3:GetObject", "s3:DeleteObject"), "arn:{partition}:s3:::{prefix}samples-{account}/x"),
    (("iam:CreateRole", "iam:PutRolePolicy", "iam:TagRole", "iam:DeleteRole"), "{iam}:role/{prefix}sagemaker"),
    (("sns:CreateTopic", "sns:Subscribe", "sns:Publish", "sns:DeleteTopic"), "{sns}:{prefix}FulfillmentCenterTopic"),
    (("firehose:CreateDeliveryStream", "firehose:DeleteDeliveryStream"), "{firehose}:deliverystream/{prefix}x"),
    (("lambda:CreateFunction", "lambda:InvokeFunction", "lambda:DeleteFunction"), "{lambda}:function:{prefix}x"),
    (("sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"), "{sagemaker}:training-job/{prefix}x"),
    (("sagemaker:CreateModel", "sagemaker:DeleteModel"), "{sagemaker}:model/{prefix}x"),
    (("sagemaker:CreateEndpointConfig",), "{sagemaker}:endpoint-config/{prefix}x"),
    (("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"), "{sagemaker}:endpoint/{prefix}x"),
    (("sagemaker:InvokeEndpoint", "sagemaker:DeleteEndpoint"), "{sagemaker}:endpoint/{prefix}x"),
    (("apigateway:POST", "apigateway:GET"), "arn:{partition}:apigateway:{region}::/restapis"),
    (("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"), "{cloudwatch}:alarm:{prefix}x"),
    (("events:PutRule", "events:PutTargets", "events:DeleteRule"), "{events}:rule/{prefix}x"),
    (("cloudwatch:PutMetricData", "tag:GetResources", "sagemaker:ListEndpoints", "iam:ListRoles"), "*"),
)


class State(StrEnum):
    OK = "ok"
    PROBLEM = "PROBLEM"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `todo` says how to mend a problem."""

    what: str
    state: State
    told: str
    todo: str = ""


def look(learners: int = 1, principal: str | None = None) -> Iterator[Finding]:
    """Everything that can be looked at from here, one finding after the other.

    Parameters
    ----------
    learners : how many share the account, for its quotas
    principal : ARN of the user or role whose permissions are simulated; your own if not given
    """
    yield _python()
    yield _packages()
    yield from _machine()
    try:
        ws = open_workshop()
    except WorkshopError as error:
        yield Finding("identity", State.PROBLEM, str(error))
        return
    arn = ws.client("sts").get_caller_identity()["Arn"]
    where = "the offline AWS on this computer" if ws.offline else f"AWS account {ws.account_id}"
    yield Finding("identity", State.OK, f"{arn} in {where}, participant {ws.participant}")
    yield _region(ws)
    yield _images(ws)
    if ws.offline:
        yield Finding("permissions", State.UNKNOWN, "offline you may do everything; run with WORKSHOP_MODE=aws to see")
        yield Finding("quotas", State.UNKNOWN, "offline there are none; run with WORKSHOP_MODE=aws to see")
    else:
        yield _permissions(ws, principal or arn)
        yield from _quotas(ws, learners)
    yield _leftovers(ws)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", State.OK if fits else State.PROBLEM, version, "" if fits else "use Python 3.11 to 3.13")


def _packages() -> Finding:
    """The installed versions against the lock."""
    pinned: dict[str, list[str]] = {}  # several where Pythons or systems differ
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==([^\s;\\]+)", (ROOT / LOCK).read_text(), re.M):
        pinned.setdefault(name, []).append(version)
    different = []
    for name, wanted in pinned.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # another platform's
        if found not in wanted:
            different.append(f"{name} {found} instead of {' or '.join(wanted)}")
    if different:
        return Finding("packages", State.PROBLEM, "; ".join(different), "run `make setup`")
    return Finding("packages", State.OK, f"as locked; sagemaker {pinned['sagemaker'][0]}, boto3 {pinned['boto3'][0]}")


def _machine() -> Iterator[Finding]:
    disk = shutil.disk_usage(ROOT).free // 2**20
    memory = psutil.virtual_memory().available // 2**20
    for what, free, needed in (("disk", disk, FREE_DISK_MB), ("memory", memory, FREE_MEMORY_MB)):
        enough = free >= needed
        told = f"{free:,} MB free" + ("" if enough else f", the labs want {needed:,} MB")
        yield Finding(what, State.OK if enough else State.PROBLEM, told, "" if enough else f"free some {what}")


def _region(ws: Workshop) -> Finding:
    known = ws.session.get_available_regions("sagemaker", partition_name=ws.partition)
    if ws.region not in known:
        todo = f"set WORKSHOP_REGION to one of {', '.join(known[:6])}, …"
        return Finding("region", State.PROBLEM, f"{ws.region} has no SageMaker that this boto3 knows of", todo)
    try:
        ws.client("sagemaker").list_endpoints(MaxResults=1)
    except (ClientError, BotoCoreError) as error:
        return Finding("region", State.PROBLEM, f"SageMaker in {ws.region}: {_short(error)}", "enable it, or change it")
    return Finding("region", State.OK, f"{ws.region}, SageMaker answers")


def _images(ws: Workshop) -> Finding:
    try:
        for algorithm, version in IMAGES.items():
            model_training.image(ws, algorithm, version)
    except Exception as error:  # the SDK raises several kinds
        return Finding(
            "images", State.PROBLEM, f"{algorithm}:{version} in {ws.region}: {error}", "choose another region"
        )
    names = ", ".join(f"{algorithm}:{version}" for algorithm, version in IMAGES.items())
    return Finding("images", State.OK, f"the SDK names {names} in {ws.region}; pulling them was not tried")


def _permissions(ws: Workshop, principal: str) -> Finding:
    """IAM's own simulation of what the labs call, for one user or role."""
    if ":root" in principal:
        return Finding("permissions", State.UNKNOWN, "IAM does not simulate the account's root user; use a role")
    if role := re.match(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/", principal):
        principal = f"arn:{role[1]}:iam::{role[2]}:role/{role[3]}"  # a role with a path must be named by --principal
    services = ("sns", "firehose", "lambda", "sagemaker", "cloudwatch", "events")
    places = {name: ws.arn(name, "").removesuffix(":") for name in services}
    places |= {"iam": f"arn:{ws.partition}:iam::{ws.account_id}", "prefix": ws.prefix, "account": ws.account_id}
    denied, asked = [], 0
    try:
        for actions, template in NEEDED:
            resource = template.format(partition=ws.partition, region=ws.region, **places)
            answer = ws.client("iam").simulate_principal_policy(
                PolicySourceArn=principal, ActionNames=list(actions), ResourceArns=[resource]
            )
            results = answer["EvaluationResults"]
            asked += len(results)
            denied += [one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed"]
    except (ClientError, BotoCoreError) as error:
        told = f"{principal} could not be simulated: {_short(error)}"
        return Finding("permissions", State.UNKNOWN, told)
    if denied:
        told = f"{principal} may not {', '.join(denied)}"
        return Finding("permissions", State.PROBLEM, told, "compare with docs/policies/participant.json")
    told = f"{asked} actions simulated for {principal}: all allowed (service control policies are not simulated)"
    return Finding("permissions", State.OK, told)


def _quotas(ws: Workshop, learners: int) -> Iterator[Finding]:
    try:
        pages = ws.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        values = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    except (ClientError, BotoCoreError) as error:
        yield Finding("quotas", State.UNKNOWN, f"Service Quotas: {_short(error)}")
        return
    yield from judge_quotas(values, learners)


def judge_quotas(values: dict[str, float], learners: int) -> Iterator[Finding]:
    """One finding per quota that the labs need, from SageMaker's quotas by name."""
    for name, each in QUOTAS.items():
        wanted = each * learners
        if name not in values:
            yield Finding("quota", State.UNKNOWN, f"SageMaker lists no quota {name!r}")
        elif values[name] < wanted:
            told = f"{name}: {values[name]:.0f}, and {learners} learner{'s' if learners > 1 else ''} want {wanted}"
            yield Finding("quota", State.PROBLEM, told, "ask for more in Service Quotas, some days ahead")
        else:
            yield Finding("quota", State.OK, f"{name}: {values[name]:.0f}, enough for {wanted}")


def _leftovers(ws: Workshop) -> Finding:
    try:
        left = teardown.left(ws)
    except (ClientError, BotoCoreError) as error:
        return Finding("leftovers", State.UNKNOWN, f"what {ws.participant} has could not be listed: {_short(error)}")
    told = f"{len(left)} resources of {ws.participant} from earlier" if left else f"nothing of {ws.participant} yet"
    return Finding("leftovers", State.OK, told + (": the labs go on with them" if left else ""))


def _short(error: Exception) -> str:
    """AWS's code and sentence, without the SDK's frame."""
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}".strip()
    return str(error)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.preflight", description=__doc__)
    parser.add_argument("--learners", type=int, default=1, help="how many share the account (for its quotas)")
    parser.add_argument("--principal", help="ARN of the user or role whose permissions to simulate (default: yours)")
    options = parser.parse_args(arguments)
    if options.learners < 1:
        parser.error("--learners is a number from 1 on")
    problems = 0
    for finding in look(options.learners, options.principal):
        problems += finding.state is State.PROBLEM
        print(f"{finding.state:12} {finding.what:12} {finding.told}", flush=True)
        if finding.todo:
            print(f"{'':25} -> {finding.todo}", flush=True)
    print("\nReady." if not problems else f"\n{problems} to mend." if problems > 1 else "\nOne to mend.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
