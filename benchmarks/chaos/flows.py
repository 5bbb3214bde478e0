"""What flows: records, messages, events and jobs, each with a name; the acknowledged ones must come through."""

from __future__ import annotations

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
        }
        self.received: set[str] = set()
        self.jobs: dict[str, str] = {}  # name -> the last status that was told
        self._number = 0

    def workers(self) -> list[Any]:
        return [self.put_records, self.publish_records, self.publish_events, self.send_messages, self.train]

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
            self.received.add(message["Body"].strip())
            sqs.delete_message(QueueUrl=self.world.queue, ReceiptHandle=message["ReceiptHandle"])
        return len(found)

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

    def missing(self) -> dict[str, set[str]]:
        """By path, what was acknowledged and did not come through. Waits until all has had its time."""
        world, s3 = self.world, self.world.client("s3")
        delivered = {
            "PutRecordBatch -> S3": self._lines(s3, f"records/{world.direct_stream}/"),
            "SNS -> Firehose -> S3": self._lines(s3, f"records/{world.topic_stream}/"),
            "SNS -> Lambda": self._events(s3),
        }
        sqs, deadline = world.client("sqs"), time.monotonic() + 5  # the queue's visibility timeout is 1 s
        while time.monotonic() < deadline:
            if self.receive(sqs):
                deadline = time.monotonic() + 3
            else:
                time.sleep(0.2)
        delivered["SNS -> SQS"] = delivered["SendMessage"] = self.received
        return {path: names - delivered[path] for path, names in self.sent.items()}

    def _lines(self, s3: Any, prefix: str) -> set[str]:
        found: set[str] = set()
        for key in self._keys(s3, prefix):
            found.update(s3.get_object(Bucket=self.world.bucket, Key=key)["Body"].read().decode().split())
        return found

    def _events(self, s3: Any) -> set[str]:
        deadline = time.monotonic() + 60
        while True:
            found = {key.removeprefix("events/") for key in self._keys(s3, "events/")}
            if self.sent["SNS -> Lambda"] <= found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _keys(self, s3: Any, prefix: str) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.world.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


ENDS_WITH_THE_CONNECTION = (BotoCoreError, ResponseParserError, OSError)
