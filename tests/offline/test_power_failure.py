"""What is on the disk itself, and when: the server's own calls to the system, in order, beside its answers."""

import json
import os
from pathlib import Path

import pytest

# Put before the server's own modules: notes each call that brings something onto the disk, and each answer.
NOTING = """
import os, socket, sys
sys.modules["uvloop"] = None  # it writes by itself; without it asyncio writes with socket.send
_log = os.open(os.environ["NOTED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def _note(*what):
    os.write(_log, (repr(what) + "\\n").encode())
def _path(of):
    return os.readlink(f"/proc/self/fd/{of}") if isinstance(of, int) else os.fspath(of)
def _noted(name, call):
    def calling(*arguments):
        where = [_path(one) for one in arguments]
        done = call(*arguments)
        _note(name, *where)
        return done
    return calling
for _name in ("fsync", "fdatasync", "replace", "rename", "unlink"):
    setattr(os, _name, _noted(_name, getattr(os, _name)))
_send = socket.socket.send
def _noted_send(self, data, *flags):
    _note("answer", bytes(data)[:4000].decode("latin-1"))
    return _send(self, data, *flags)
socket.socket.send = _noted_send
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are read in /proc")


@pytest.fixture
def noted(workspace_dir, tmp_path, start_offline, offline_command):
    """The running server, and noted() -> what it has done by now: [(call, path, …)], ("answer", text) among them."""
    (tmp_path / "noting").mkdir()
    (tmp_path / "noting" / "sitecustomize.py").write_text(NOTING)
    log = tmp_path / "noted"
    offline_command(workspace_dir, "start", PYTHONPATH=str(tmp_path / "noting"), NOTED=str(log))
    return start_offline(workspace_dir), lambda: [eval(line) for line in log.read_text().splitlines()]


def place(calls, *wanted):
    """Of the last call that begins with `wanted`."""
    return max(index for index, call in enumerate(calls) if call[: len(wanted)] == wanted)


def answered(calls, text):
    return next(index for index, call in enumerate(calls) if call[0] == "answer" and text in call[1])


def test_a_change_is_on_the_disk_before_it_is_acknowledged(noted, workspace_dir):
    offline, calls_by_now = noted
    state = str(workspace_dir / "state")
    offline.client("sqs").create_queue(QueueName="told-apart")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    offline.client("iam").create_role(RoleName="told-apart", AssumeRolePolicyDocument=document)
    calls = calls_by_now()
    for service in ("sqs", "iam"):
        told = answered(calls, "told-apart" if service == "sqs" else "<RoleName>told-apart")
        before = calls[:told]
        replaced = place(before, "replace", f"{state}/{service}.writing", f"{state}/{service}.snapshot")
        assert ("fsync", f"{state}/{service}.writing") in before[:replaced]
        assert ("fsync", state) in before[replaced:]


def test_no_name_is_given_to_what_is_not_on_the_disk_and_no_journal_removed_before(noted, workspace_dir):
    offline, calls_by_now = noted
    state = str(workspace_dir / "state")
    s3, sqs = offline.client("s3"), offline.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    s3.create_bucket(Bucket="one")
    for number in range(5):
        s3.put_object(Bucket="one", Key=str(number), Body=b"x")
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        s3.put_bucket_tagging(Bucket="one", Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})
        sqs.tag_queue(QueueUrl=queue, Tags={"n": str(number)})
    calls = calls_by_now()
    snapshots = [index for index, call in enumerate(calls) if call[0] == "replace" and call[1].endswith(".writing")]
    assert len(snapshots) > 10
    for index in snapshots:
        earlier = [place(calls[:index], "replace", *calls[index][1:])] if calls[index] in calls[:index] else [0]
        assert ("fsync", calls[index][1]) in calls[earlier[0] : index]
    removed = [index for index, call in enumerate(calls) if call[0] == "unlink" and call[1].endswith(".journal")]
    assert removed
    for index in removed:
        service = {"objects": "s3", "messages": "sqs"}[Path(calls[index][1]).name.partition("-")[0]]
        replaced = place(calls[:index], "replace", f"{state}/{service}.writing", f"{state}/{service}.snapshot")
        assert ("fsync", state) in calls[replaced:index]


def test_what_flows_is_on_the_disk_within_seconds(noted, workspace_dir, eventually):
    offline, calls_by_now = noted
    s3, sqs, cloudwatch = (offline.client(name) for name in ("s3", "sqs", "cloudwatch"))
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    s3.create_bucket(Bucket="one")
    begun = len(calls_by_now())
    s3.put_object(Bucket="one", Key="small", Body=b"x" * 100)
    s3.put_object(Bucket="one", Key="large", Body=b"x" * 2_000_000)
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}])
    objects = {str(path) for path in (workspace_dir / "objects").glob("??/*")}
    journals = {str(path) for path in (workspace_dir / "state").glob("*.journal") if path.stat().st_size}
    assert len(objects) == 2
    assert {Path(one).name.partition("-")[0] for one in journals} >= {"objects", "messages", "metrics"}
    folders = {str(workspace_dir / "objects"), *(os.path.dirname(one) for one in objects), str(workspace_dir / "state")}

    def synced():
        return {call[1] for call in calls_by_now()[begun:] if call[0] in ("fsync", "fdatasync")}

    eventually(lambda: objects | journals | folders <= synced(), 60)
