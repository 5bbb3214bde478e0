"""What lab 4 makes: an alarm on the live error, a function that retrains, a rule, and a function that promotes."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import ClientError

from helpers.fulfillment import EdgeCompute
from helpers.resources import functions, model_training, sample_collection
from helpers.workshop import Workshop, WorkshopError

RETRAINING_FUNCTION = "RetrainingLambdaFunction"
PROMOTION_FUNCTION = "PromotionLambdaFunction"
ALARM = "LiveInferenceErrorAlarm"
RULE = "RetrainingCompletedRule"
JOBS = "retraining-"

NAMESPACE = "FulfillmentWorkshop"
METRIC = "PredictionError"  # predicted - actual: what retraining can mend (the absolute error is mostly noise)
PERIOD_S = 10  # the shortest that an alarm can have (high resolution)

NEWEST_SAMPLES = 1200  # as many as come in 6 s: those of before the drift would teach the old world
FEWEST_SAMPLES = 300
COOLDOWN_S = 900  # no second job so soon after the first: a new model needs time to show
SMALLEST_GAIN = 0.01  # a new model must be better by this share
HYPERPARAMETERS = {  # fewer samples than in lab 2, so smaller trees that believe less
    "objective": "reg:squarederror",
    "eval_metric": "rmse",
    "num_round": "80",
    "max_depth": "4",
    "eta": "0.08",
    "subsample": "0.7",
    "min_child_weight": "20",
    "seed": "1",
}

_at_work: dict[str, EdgeCompute] = {}  # what plays in the background of this notebook


def deploy_functions(ws: Workshop, **changes: object) -> tuple[str, str]:
    """Deploy the two functions; the ARNs of the one that retrains and the one that promotes.

    `changes` replaces settings of the retraining function, for instance NEWEST_SAMPLES=2000.
    """
    shared = {
        "MODELS_BUCKET": ws.bucket("models"),
        "ROLE_ARN": ws.role_arn("sagemaker"),
        "INSTANCE_TYPE": model_training.INSTANCE,
        "TAGS": json.dumps(ws.tags),
    }
    retraining = {
        **shared,
        "SAMPLES_BUCKET": ws.bucket("samples"),
        "SAMPLES_PREFIX": sample_collection.PREFIX,
        "JOB_PREFIX": ws.name(JOBS),
        "IMAGE_URI": model_training.live_image(ws),
        "HYPERPARAMETERS": json.dumps(HYPERPARAMETERS),
        "NEWEST_SAMPLES": str(NEWEST_SAMPLES),
        "FEWEST_SAMPLES": str(FEWEST_SAMPLES),
        "COOLDOWN_S": str(COOLDOWN_S),
        "DEPLOYED_AT": str(time.time()),  # when the lab is run again, jobs of the last run do not count
    } | {name: str(value) for name, value in changes.items()}
    promotion = {**shared, "ENDPOINT_NAME": ws.name(model_training.ENDPOINT), "SMALLEST_GAIN": str(SMALLEST_GAIN)}
    return (
        functions.deploy(ws, RETRAINING_FUNCTION, "start_retraining", "retraining_lambda", retraining, timeout_s=60),
        functions.deploy(ws, PROMOTION_FUNCTION, "promote_model", "promotion_lambda", promotion, timeout_s=60),
    )


def error_metric(fc: str) -> dict:
    """The live error of one fulfillment centre, whichever model made it, as CloudWatch calls name a metric."""
    return {"Namespace": NAMESPACE, "MetricName": METRIC, "Dimensions": [{"Name": "FC", "Value": fc}]}


def put_alarm(ws: Workshop, fc: str, threshold_ms: float, action_arn: str) -> str:
    """Alarm when the mean error of one period falls below the (negative) threshold, and call the function; its ARN."""
    arn = ws.arn("cloudwatch", f"alarm:{ws.name(ALARM)}")
    allow(ws, RETRAINING_FUNCTION, "lambda.alarms.cloudwatch.amazonaws.com", arn)
    ws.client("cloudwatch").put_metric_alarm(
        AlarmName=ws.name(ALARM),
        **error_metric(fc),
        Statistic="Average",
        Period=PERIOD_S,
        EvaluationPeriods=1,
        Threshold=threshold_ms,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[action_arn],
        Tags=ws.tags,
    )
    return arn


def put_rule(ws: Workshop, pattern: dict, target_arn: str) -> str:
    """Call the function for each event that fits the pattern; the rule's ARN."""
    events = ws.client("events")
    arn = events.put_rule(Name=ws.name(RULE), EventPattern=json.dumps(pattern), State="ENABLED", Tags=ws.tags)[
        "RuleArn"
    ]
    allow(ws, PROMOTION_FUNCTION, "events.amazonaws.com", arn)
    events.put_targets(Rule=ws.name(RULE), Targets=[{"Id": "promotion", "Arn": target_arn}])
    return arn


def completed(ws: Workshop) -> dict:
    """The event pattern of "one of my retraining jobs is completed"."""
    return {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobName": [{"prefix": ws.name(JOBS)}], "TrainingJobStatus": ["Completed"]},
    }


def allow(ws: Workshop, function: str, principal: str, source_arn: str) -> None:
    """Let one alarm or rule, and no other, call the function."""
    with ws.unless_it_exists():
        ws.client("lambda").add_permission(
            FunctionName=ws.name(function),
            StatementId="from-" + principal.split(".amazonaws")[0].replace(".", "-"),
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=source_arn,
        )


def start_afresh(ws: Workshop) -> None:
    """Take this lab's alarm away and put lab 2's model live again, so that the story begins anew."""
    ws.client("cloudwatch").delete_alarms(AlarmNames=[ws.name(ALARM)])
    endpoint = ws.client("sagemaker").describe_endpoint(EndpointName=ws.name(model_training.ENDPOINT))
    if not endpoint["EndpointConfigName"].startswith(ws.name(JOBS)):
        return
    configurations = ws.client("sagemaker").list_endpoint_configs(NameContains=ws.prefix)["EndpointConfigs"]
    first = next(
        entry["EndpointConfigName"]
        for entry in sorted(configurations, key=lambda entry: entry["CreationTime"])
        if not entry["EndpointConfigName"].startswith(ws.name(JOBS))
    )
    ws.client("sagemaker").update_endpoint(EndpointName=endpoint["EndpointName"], EndpointConfigName=first)
    model_training.wait_for_endpoint(ws)


def in_background(edge: EdgeCompute, purpose: str) -> None:
    """Start an edge compute; the one started before for the same purpose is stopped, so that a cell may run twice."""
    if (earlier := _at_work.pop(purpose, None)) is not None:
        earlier.stop()
    edge.start()
    _at_work[purpose] = edge


def wait_until_quiet(ws: Workshop, within_s: float = 90) -> None:
    """Wait until the alarm has seen that all is well.

    Raises
    ------
    WorkshopError : the alarm or the rule is not there yet, so that a change of the world would call nobody
    TimeoutError : the alarm was not OK in time
    """
    rules = ws.client("events").list_rules(NamePrefix=ws.name(RULE))["Rules"]
    missing = [name for name, there in {"alarm": alarm_state(ws), "rule": rules}.items() if not there]
    if missing:
        raise WorkshopError(
            f"The loop is not closed: there is no {' and no '.join(missing)} yet, so peak season would call nobody. "
            "Fill in the answers (____) that are still open above, run their cells and those that make the "
            f"{' and the '.join(missing)}, then this one."
        )
    wait_until(lambda: alarm_state(ws) == "OK", within_s, "the first quiet period")


def alarm_state(ws: Workshop) -> str | None:
    """OK, ALARM or INSUFFICIENT_DATA; None without an alarm."""
    alarms = ws.client("cloudwatch").describe_alarms(AlarmNames=[ws.name(ALARM)])["MetricAlarms"]
    return alarms[0]["StateValue"] if alarms else None


def has_gone_off(ws: Workshop, since: datetime) -> bool:
    """Whether the alarm went off since then. Raises WorkshopError on a full disk, where it never would."""
    ws.refuse_full_disk()
    return any(new == "ALARM" and when >= since for when, _, new in changes_of_alarm(ws))


def live_version(ws: Workshop) -> str | None:
    """The variant that the endpoint serves ("v1"); None while it serves none. WorkshopError on a full disk."""
    ws.refuse_full_disk()
    endpoint = ws.client("sagemaker").describe_endpoint(EndpointName=ws.name(model_training.ENDPOINT))
    variants = endpoint.get("ProductionVariants", [])
    return variants[0]["VariantName"] if variants and endpoint["EndpointStatus"] == "InService" else None


def changes_of_alarm(ws: Workshop) -> list[tuple[datetime, str, str]]:
    """When the alarm changed its state: (time, old state, new state), oldest first, from CloudWatch's own history."""
    pages = (
        ws.client("cloudwatch")
        .get_paginator("describe_alarm_history")
        .paginate(AlarmName=ws.name(ALARM), HistoryItemType="StateUpdate")
    )
    found = []
    for item in (item for page in pages for item in page["AlarmHistoryItems"]):
        data = json.loads(item["HistoryData"])
        states = data["oldState"]["stateValue"], data["newState"]["stateValue"]
        found.append((item["Timestamp"], *states))
    return sorted(found)


def jobs(ws: Workshop, since: datetime) -> list[dict]:
    """The retraining jobs that began after `since`, oldest first."""
    listed = ws.client("sagemaker").list_training_jobs(
        NameContains=ws.name(JOBS), CreationTimeAfter=since - timedelta(seconds=1), SortBy="CreationTime"
    )["TrainingJobSummaries"]
    return sorted(listed, key=lambda job: job["CreationTime"])


def decisions(ws: Workshop, function: str, since: datetime) -> list[tuple[datetime, dict]]:
    """What a function decided and printed since then: (time, decision), oldest first, read from its log."""
    try:
        pages = (
            ws.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=f"/aws/lambda/{ws.name(function)}",
                startTime=int(since.timestamp() * 1000),
                filterPattern="decision",
            )
        )
        events = [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []  # it has never run
        raise
    said = [(event["timestamp"], event["message"].strip()) for event in events]
    return [
        (datetime.fromtimestamp(when / 1000).astimezone(), json.loads(line))
        for when, line in sorted(said)
        if line.startswith("{")
    ]


def wait_until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait until the condition holds. Raises TimeoutError that says what was waited for."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {within_s:.0f} s for this: {what}.")
        time.sleep(0.25)


def build(ws: Workshop, fc: str, threshold_ms: float) -> list[str]:
    """Make everything of lab 4. Returns what was made, in words."""
    retraining_arn, promotion_arn = deploy_functions(ws)
    put_alarm(ws, fc, threshold_ms, retraining_arn)
    put_rule(ws, completed(ws), promotion_arn)
    return ["two functions", "an alarm", "a rule"]
