"""What flows: records, messages, events, metric values, jobs, with names; the acknowledged ones must come through."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

INTERRUPTED = "The offline AWS ended while this training job was running"


class Flows:
    """`sent` holds what was acknowledged, by path. Each method is one worker's; it ends with the connection."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.sent: dict[str, set[str]] = {
            "PutRecordBatch -> S3": set(),
            "SNS -> Firehose -> S3": set(),
            "SNS -> Lambda": set(),
            "SNS -> SQS": set(),
            "SendMessage": set(),
            "Invoke (Event)": set(),
            "PutEvents -> SQS": set(),
            "PutLogEvents": set(),
            "PutMetricData": set(),
            "InvokeEndpoint -> data capture": set(),
        }
        self.values_put = 0  # metric values since the last comparison, acknowledged or not
        self.values_told = 0  # of them the acknowledged ones
        self.values_known = 0.0  # their sum at the last comparison
        self.begun = time.time()
        self.received: set[str] = set()
        self.jobs: dict[str, str] = {}  # name -> the last status that was told
        self.tuning_jobs: dict[str, str] = {}  # likewise
        self._number = 0

    def workers(self) -> list[Any]:
        return [
            *(self.put_records, self.publish_records, self.publish_events, self.send_messages, self.train),
            *(self.invoke_later, self.put_events, self.put_log_events, self.put_metric_data, self.infer, self.tune),
        ]

    def names(self, count: int, kind: str) -> list[str]:
        first = self._number
        self._number += count
        return [f"{kind}-{first + position}" for position in range(count)]

    def put_records(self, is_over: Any) -> None:
        firehose = self.world.client("firehose")
        while not is_over():
            names = self.names(20, "direct")
            records = [{"Data": f"{name}\n".encode()} for name in names]
            answer = firehose.put_record_batch(DeliveryStreamName=self.world.direct_stream, Records=records)
            if answer.get("FailedPutCount") != 0:
                raise ConnectionError(f"half an answer: {answer}")  # botocore takes a torn one for an empty one
            self.sent["PutRecordBatch -> S3"].update(names)

    def publish_records(self, is_over: Any) -> None:
        sns = self.world.client("sns")
        while not is_over():
            names = self.names(10, "topic")
            entries = [{"Id": str(position), "Message": f"{name}\n"} for position, name in enumerate(names)]
            answer = sns.publish_batch(TopicArn=self.world.topic, PublishBatchRequestEntries=entries)
            taken = {names[int(one["Id"])] for one in answer.get("Successful", [])}
            self.sent["SNS -> Firehose -> S3"] |= taken
            self.sent["SNS -> SQS"] |= taken

    def publish_events(self, is_over: Any) -> None:
        sns = self.world.client("sns")
        while not is_over():
            (name,) = self.names(1, "event")
            sns.publish(TopicArn=self.world.event_topic, Message=name)
            self.sent["SNS -> Lambda"].add(name)
            time.sleep(0.02)

    def send_messages(self, is_over: Any) -> None:
        """And takes some out again: what was received and deleted has come through."""
        sqs = self.world.client("sqs")
        while not is_over():
            (name,) = self.names(1, "message")
            sqs.send_message(QueueUrl=self.world.queue, MessageBody=name)
            self.sent["SendMessage"].add(name)
            self.receive(sqs)

    def receive(self, sqs: Any) -> int:
        found = sqs.receive_message(QueueUrl=self.world.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.received.add(message["Body"].strip().strip('"'))
            sqs.delete_message(QueueUrl=self.world.queue, ReceiptHandle=message["ReceiptHandle"])
        return len(found)

    def invoke_later(self, is_over: Any) -> None:
        """The same function as the topic's, and the same form of event."""
        lambda_ = self.world.client("lambda")
        while not is_over():
            (name,) = self.names(1, "invoked")
            event = json.dumps({"Records": [{"Sns": {"Message": name}}]})
            lambda_.invoke(FunctionName=self.world.function, InvocationType="Event", Payload=event)
            self.sent["Invoke (Event)"].add(name)
            time.sleep(0.05)

    def put_events(self, is_over: Any) -> None:
        events = self.world.client("events")
        while not is_over():
            names = self.names(3, "emitted")
            entries = [
                {"Source": "chaos", "DetailType": "named", "Detail": json.dumps({"name": name})} for name in names
            ]
            answer = events.put_events(Entries=entries)
            if answer.get("FailedEntryCount") != 0:
                raise ConnectionError(f"half an answer: {answer}")
            self.sent["PutEvents -> SQS"].update(names)
            time.sleep(0.05)

    def put_log_events(self, is_over: Any) -> None:
        logs = self.world.client("logs")
        while not is_over():
            names, now = self.names(3, "line"), int(1000 * time.time())
            lines = [{"timestamp": now, "message": name} for name in names]
            logs.put_log_events(logGroupName=self.world.log_group, logStreamName="lines", logEvents=lines)
            self.sent["PutLogEvents"].update(names)
            time.sleep(0.02)

    def put_metric_data(self, is_over: Any) -> None:
        """Values of 1: their sum is their number."""
        cloudwatch = self.world.client("cloudwatch")
        while not is_over():
            names = self.names(3, "value")
            self.values_put += len(names)
            data = [{"MetricName": "values", "Value": 1.0} for _ in names]
            cloudwatch.put_metric_data(Namespace="Chaos", MetricData=data)
            self.values_told += len(names)
            self.sent["PutMetricData"].update(names)
            time.sleep(0.02)

    def infer(self, is_over: Any) -> None:
        """From an endpoint that captures everything, by the id that the caller gives."""
        while not is_over():
            (name,) = self.names(1, "inference")
            self.world.invoke(self.world.captured_endpoint, name)
            self.sent["InvokeEndpoint -> data capture"].add(name)
            time.sleep(0.02)

    def train(self, is_over: Any) -> None:
        sagemaker = self.world.client("sagemaker")
        while not is_over():
            (name,) = self.names(1, "job")
            self.world.start_job(name)
            self.jobs[name] = "InProgress"
            for _ in range(20):
                if is_over():
                    return
                self.jobs[name] = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
                if self.jobs[name] == "Completed":
                    break
                time.sleep(0.1)

    def tune(self, is_over: Any) -> None:
        """One tuning job in each life, as long as it lasts."""
        if is_over():
            return
        (name,) = self.names(1, "tuning")
        self.world.start_tuning(name)
        self.tuning_jobs[name] = "InProgress"
        sagemaker = self.world.client("sagemaker")
        while not is_over() and self.tuning_jobs[name] == "InProgress":
            found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            self.tuning_jobs[name] = found["HyperParameterTuningJobStatus"]
            time.sleep(0.1)

    # --- Afterwards ---------------------------------------------------------------------------------------------------

    def job_problems(self) -> list[str]:
        """After a restart: no job is forgotten or still running, and none that was told to be complete is not."""
        sagemaker, problems = self.world.client("sagemaker"), []
        for name, told in self.jobs.items():
            if told in ("checked", "missing"):
                continue
            try:
                found = sagemaker.describe_training_job(TrainingJobName=name)
            except ClientError as error:
                problems.append(f"lost: training job {name}: {error}")
                self.jobs[name] = "missing"
                continue
            status, reason = found["TrainingJobStatus"], found.get("FailureReason", "")
            if told == "Completed" and status != "Completed":
                problems.append(f"lost: training job {name} was told to be Completed and is {status}: {reason}")
            elif status not in ("Completed", "Failed") or (status == "Failed" and INTERRUPTED not in reason):
                problems.append(f"lost: training job {name} is {status}: {reason}")
            self.jobs[name] = "checked"
        return problems

    def tuning_problems(self) -> list[str]:
        """After a restart: as with training jobs."""
        sagemaker, problems = self.world.client("sagemaker"), []
        for name, told in self.tuning_jobs.items():
            if told == "checked":
                continue
            self.tuning_jobs[name] = "checked"
            try:
                found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            except ClientError as error:
                problems.append(f"lost: tuning job {name}: {error}")
                continue
            status, reason = found["HyperParameterTuningJobStatus"], found.get("FailureReason", "")
            if (told == "Completed" and status != "Completed") or status not in ("Completed", "Failed"):
                problems.append(f"lost: tuning job {name} was told to be {told} and is {status}: {reason}")
            elif status == "Failed" and "The offline AWS ended while" not in reason:
                problems.append(f"lost: tuning job {name} failed: {reason}")
        return problems

    def missing(self) -> dict[str, set[str]]:
        """By path, what was acknowledged and did not come through. Waits until all has had its time."""
        world, s3 = self.world, self.world.client("s3")
        delivered = {
            "PutRecordBatch -> S3": self._lines(s3, f"records/{world.direct_stream}/"),
            "SNS -> Firehose -> S3": self._lines(s3, f"records/{world.topic_stream}/"),
            "InvokeEndpoint -> data capture": self._captured(s3),
            "PutLogEvents": set(self.lines_kept()),
        }
        delivered["SNS -> Lambda"] = delivered["Invoke (Event)"] = self._events(s3)
        sqs, deadline = world.client("sqs"), time.monotonic() + 5  # the queue's visibility timeout is 1 s
        while time.monotonic() < deadline:
            if self.receive(sqs):
                deadline = time.monotonic() + 3
            else:
                time.sleep(0.2)
        delivered |= dict.fromkeys(("SNS -> SQS", "SendMessage", "PutEvents -> SQS"), self.received)
        delivered["PutMetricData"] = self.sent["PutMetricData"]  # compared after each kill
        return {path: names - delivered[path] for path, names in self.sent.items()}

    def value_problems(self) -> list[str]:
        """After a restart: the sum of the metric values is what was acknowledged, or what was put."""
        found, before = self.sum_kept(), self.values_known
        least, most = before + self.values_told, before + self.values_put
        self.values_known, self.values_put, self.values_told = found, 0, 0
        if least <= found <= most:
            return []
        return [f"{'lost' if found < least else 'twice'}: metric values: {found}, expected {least} to {most}"]

    def line_problems(self) -> list[str]:
        """Log events that are there more often than they were put."""
        lines = self.lines_kept()
        more = len(lines) - len(set(lines))
        return [f"twice: {more} of {len(lines)} log events"] if more else []

    def sum_kept(self) -> float:
        found = self.world.client("cloudwatch").get_metric_statistics(
            Namespace="Chaos",
            MetricName="values",
            StartTime=self.begun - 3600,
            EndTime=time.time() + 3600,
            Period=3600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    def lines_kept(self) -> list[str]:
        logs, lines, token = self.world.client("logs"), [], {}
        while True:
            page = logs.get_log_events(
                logGroupName=self.world.log_group, logStreamName="lines", startFromHead=True, **token
            )
            if not page["events"]:
                return lines
            lines += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}

    def _captured(self, s3: Any) -> set[str]:
        """The ids of the inferences in S3, once all that were acknowledged have had their time."""
        deadline = time.monotonic() + 20
        while True:
            keys = self._keys(s3, "captured/")
            bodies = [s3.get_object(Bucket=self.world.bucket, Key=key)["Body"].read() for key in keys]
            lines = b"".join(bodies).splitlines()
            found = {json.loads(line)["eventMetadata"]["inferenceId"] for line in lines}
            if self.sent["InvokeEndpoint -> data capture"] <= found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _lines(self, s3: Any, prefix: str) -> set[str]:
        found: set[str] = set()
        for key in self._keys(s3, prefix):
            found.update(s3.get_object(Bucket=self.world.bucket, Key=key)["Body"].read().decode().split())
        return found

    def _events(self, s3: Any) -> set[str]:
        deadline = time.monotonic() + 60
        while True:
            found = {key.removeprefix("events/") for key in self._keys(s3, "events/")}
            if self.sent["SNS -> Lambda"] | self.sent["Invoke (Event)"] <= found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _keys(self, s3: Any, prefix: str) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.world.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


ENDS_WITH_THE_CONNECTION = (BotoCoreError, ResponseParserError, OSError)
