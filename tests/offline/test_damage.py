"""Whatever is damaged in a workspace: a server that works, or one sentence that says what to do; nothing is deleted."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from helpers.offline import process


def kill(directory):
    server = psutil.Process(process.read_state(directory).pid)
    server.kill()
    server.wait(60)


def set_aside(directory):
    return {path.name: path.read_bytes() for path in directory.glob("set-aside/*/*") if path.is_file()}


def state_with(**changes):
    state = process.new_state()
    return {name: getattr(state, name) for name in ("access_key_id", "secret_access_key", "port")} | changes


# --- The state file ---------------------------------------------------------------------------------------------------


DAMAGED = {
    "empty": b"",
    "cut": b'{"access_key_id": "AKI',
    "no text": b"\xff\xfe\x00",
    "another form": b"[1, 2]",
    "deep": b"[" * 100_000,
    "a port that is none": json.dumps(state_with(port="4710")).encode(),
    "a port that is negative": json.dumps(state_with(port=-1)).encode(),
    "a process that is none": json.dumps(state_with(pid="1")).encode(),
    "a process out of bounds": json.dumps(state_with(pid=10**30)).encode(),
    "no secret": json.dumps(state_with(secret_access_key=None)).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_no_state_file_makes_a_command_fail_with_a_traceback(tmp_path, content):
    """Read by each command; the start itself is below."""
    (tmp_path / "offline.json").write_bytes(content)
    assert process.read_state(tmp_path) is None
    assert process.status(tmp_path) == {"running": False, "directory": str(tmp_path)}
    assert process.stop(tmp_path) is False
    process.state_to_begin_with(tmp_path)
    assert set_aside(tmp_path) == {"offline.json": content}


def test_a_damaged_state_file_is_set_aside_and_said_and_what_was_held_is_there(
    workspace_dir, start_offline, offline_command
):
    start_offline(workspace_dir).client("s3").create_bucket(Bucket="kept")
    kill(workspace_dir)
    (workspace_dir / "offline.json").write_bytes(b'{"access_key_id": "AKI')
    said = offline_command(workspace_dir, "start")
    assert said.stderr.startswith("What the offline AWS kept is damaged in part: see ")
    assert said.stderr.endswith(": offline.json.\n") and said.stderr.count("\n") == 1
    again = start_offline(workspace_dir)
    assert [one["Name"] for one in again.client("s3").list_buckets()["Buckets"]] == ["kept"]
    assert set_aside(workspace_dir) == {"offline.json": b'{"access_key_id": "AKI'}


def test_a_state_file_of_a_later_version_keeps_its_keys(tmp_path):
    (tmp_path / "offline.json").write_text(json.dumps(state_with(access_key_id="AKIAMINE", something_new=[1])))
    assert process.read_state(tmp_path).access_key_id == "AKIAMINE"


def test_a_running_servers_state_file_that_is_replaced_by_another_is_written_anew(
    workspace_dir, start_offline, eventually
):
    """An old copy, say, that was put back while the server runs: nobody would find it."""
    first = start_offline(workspace_dir)
    state = process.read_state(workspace_dir)
    process.write_state(workspace_dir, process.replace(process.new_state(), pid=None))
    eventually(lambda: process.read_state(workspace_dir) == state)
    process.write_state(workspace_dir, process.replace(state, pid=os.getpid()))
    assert start_offline(workspace_dir).environment == first.environment
    process.write_state(workspace_dir, process.replace(state, pid=None))
    assert json.loads(subprocess_of(workspace_dir, "status", "--json").communicate(timeout=90)[0])["pid"] == state.pid


@pytest.mark.parametrize("name", ["offline.json", "offline.lock", "server.lock", "offline.log"])
def test_a_folder_where_a_file_belongs_is_one_sentence(tmp_path, offline_command, name):
    (tmp_path / name).mkdir()
    for command in ("start", "status", "stop", "reset"):
        done = offline_command(tmp_path, command, check=False)
        assert done.returncode in (0, 1) and done.stderr.count("\n") <= 1, done.stderr
        assert "Traceback" not in done.stderr
        if command == "start":
            assert done.returncode == 1 and str(tmp_path / name) in done.stderr


@pytest.mark.parametrize("name", ["state", "objects", "firehose", "functions", "sagemaker", "uploads", "set-aside"])
@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_a_file_where_a_folder_belongs_is_one_sentence_and_is_not_touched(tmp_path, offline_command, name, kind):
    if kind == "file":
        (tmp_path / name).write_text("precious")
    else:
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    failed = offline_command(tmp_path, "start", check=False)
    assert (
        failed.stderr
        == f"{tmp_path / name} is where the offline AWS keeps a folder, and is none: move it away and start.\n"
    )
    assert kind == "broken link" or (tmp_path / name).read_text() == "precious"


# --- What it keeps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["empty", "a byte"])
def test_a_damaged_snapshot_is_set_aside_and_said_and_the_rest_is_there(
    workspace_dir, start_offline, offline_command, damage
):
    offline = start_offline(workspace_dir)
    offline.client("s3").create_bucket(Bucket="kept")
    offline.client("sqs").create_queue(QueueName="hit")
    offline_command(workspace_dir, "stop")
    path = workspace_dir / "state" / "sqs.snapshot"
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "empty": b"",
        "a byte": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
    }[damage]
    path.write_bytes(damaged)
    said = offline_command(workspace_dir, "start").stderr
    assert said.count("\n") == 1 and "damaged in part" in said and "sqs.snapshot" in said
    offline = start_offline(workspace_dir)
    assert [one["Name"] for one in offline.client("s3").list_buckets()["Buckets"]] == ["kept"]
    assert "QueueUrls" not in offline.client("sqs").list_queues()
    assert set_aside(workspace_dir)["sqs.snapshot"] == damaged
    offline.client("sqs").create_queue(QueueName="works")


def test_a_damaged_journal_loses_what_was_hit_and_keeps_the_bytes(workspace_dir, start_offline, offline_command):
    offline = start_offline(workspace_dir)
    s3, sqs = offline.client("s3"), offline.client("sqs")
    s3.create_bucket(Bucket="hit")
    queue = sqs.create_queue(QueueName="hit")["QueueUrl"]
    for number in range(5):
        s3.put_object(Bucket="hit", Key=f"{number}", Body=b"object %d" % number)
        sqs.send_message(QueueUrl=queue, MessageBody=f"message {number}")
    kill(workspace_dir)
    for name, hit in (("objects", b"object 2"), ("messages", b"message 2")):
        (path,) = [path for path in (workspace_dir / "state").glob(f"{name}-*.journal") if path.stat().st_size]
        data = path.read_bytes()
        at = data.index(b"\x8c\x012") if name == "objects" else data.index(hit)  # the object's key, pickled
        path.write_bytes(data[:at] + b"\0\0" + data[at + 2 :])
    said = offline_command(workspace_dir, "start").stderr
    assert "damaged in part" in said
    offline = start_offline(workspace_dir)
    s3, sqs = offline.client("s3"), offline.client("sqs")
    found = {
        one["Key"]: s3.get_object(Bucket="hit", Key=one["Key"])["Body"].read()
        for one in s3.list_objects_v2(Bucket="hit")["Contents"]
    }
    assert found == {f"{number}": b"object %d" % number for number in (0, 1, 3, 4)}
    messages = [one["Body"] for one in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert sorted(messages) == [f"message {number}" for number in (0, 1, 3, 4)]
    assert b"object 2" in set_aside(workspace_dir).values()
    kill(workspace_dir)
    s3 = start_offline(workspace_dir).client("s3")
    assert len(s3.list_objects_v2(Bucket="hit")["Contents"]) == 4


def test_damaged_records_of_a_stream_are_not_delivered_and_the_others_are(
    workspace_dir, start_offline, offline_command, eventually
):
    offline = start_offline(workspace_dir)
    s3, iam, firehose = (offline.client(name) for name in ("s3", "iam", "firehose"))
    s3.create_bucket(Bucket="hit")
    trust = {"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="hit", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="hit", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 900}
    to = {"BucketARN": "arn:aws:s3:::hit", "RoleARN": role, "BufferingHints": hints}
    firehose.create_delivery_stream(DeliveryStreamName="hit", ExtendedS3DestinationConfiguration=to)
    described = lambda: firehose.describe_delivery_stream(DeliveryStreamName="hit")["DeliveryStreamDescription"]  # noqa: E731
    eventually(lambda: described()["DeliveryStreamStatus"] == "ACTIVE")
    for number in range(5):
        firehose.put_record(DeliveryStreamName="hit", Record={"Data": b"record %d\n" % number})
    kill(workspace_dir)
    (path,) = (workspace_dir / "firehose").rglob("*.records")
    data = path.read_bytes().replace(b"record 2", b"rubbish!")
    path.write_bytes(data)
    assert path.name in offline_command(workspace_dir, "start").stderr
    s3 = start_offline(workspace_dir).client("s3")
    (one,) = eventually(lambda: s3.list_objects_v2(Bucket="hit").get("Contents"))
    body = s3.get_object(Bucket="hit", Key=one["Key"])["Body"].read()
    assert body == b"".join(b"record %d\n" % number for number in (0, 1, 3, 4))
    assert set_aside(workspace_dir) == {path.name: data}


# --- Several at once --------------------------------------------------------------------------------------------------


def subprocess_of(directory, *arguments):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WORKSHOP_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "helpers.offline", *arguments],
        env=kept | {"WORKSHOP_DIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_commands_at_once_each_end_and_leave_one_server_or_none(workspace_dir, start_offline):
    """start, stop, status and reset from nine processes, twice; each says one sentence, whatever the others do."""
    for _ in range(2):
        running = [
            subprocess_of(workspace_dir, name)
            for name in ("start", "stop", "status", "start", "reset", "start", "status", "stop", "start")
        ]
        for one in running:
            said, failed = one.communicate(timeout=120)
            assert "Traceback" not in failed and failed.count("\n") <= 1, failed
            assert one.returncode == 0 or "holds no offline AWS" in failed, (said, failed)
    offline = start_offline(workspace_dir)
    assert offline.client("s3").list_buckets()["Buckets"] == []
    holding = [
        one.pid
        for one in psutil.process_iter(["cmdline", "cwd"])
        if one.info["cwd"] == str(workspace_dir) and "serve" in (one.info["cmdline"] or [])
    ]
    assert holding == [process.read_state(workspace_dir).pid]


def test_a_start_that_was_killed_half_way_leaves_a_server_that_the_next_command_finds(workspace_dir, start_offline):
    for command in ("start", "status", "stop"):
        process.stop(workspace_dir)
        starting = subprocess_of(workspace_dir, "start")
        deadline = time.monotonic() + 60
        while not psutil.Process(starting.pid).children() and time.monotonic() < deadline:
            time.sleep(0.005)
        (server,) = psutil.Process(starting.pid).children()
        starting.kill()
        starting.communicate()
        said, failed = subprocess_of(workspace_dir, command).communicate(timeout=120)
        assert failed == ""
        if command == "stop":
            assert said in ("Stopped.\n", "It was not running.\n")
            if said == "Stopped.\n":
                assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    offline = start_offline(workspace_dir)
    assert offline.client("s3").list_buckets()["Buckets"] == []


def test_a_workspace_and_its_folders_may_be_links(workspace_dir, start_offline, offline_command, tmp_path):
    elsewhere = tmp_path / "another disk"
    for name in ("workshop", "objects", "state"):
        (elsewhere / name).mkdir(parents=True)
    (elsewhere / "workshop" / "objects").symlink_to(elsewhere / "objects")
    (elsewhere / "workshop" / "state").symlink_to(elsewhere / "state")
    workspace_dir.symlink_to(elsewhere / "workshop")
    s3 = start_offline(workspace_dir).client("s3")
    s3.create_bucket(Bucket="linked")
    s3.put_object(Bucket="linked", Key="one", Body=b"x" * 2_000_000)
    kill(workspace_dir)
    s3 = start_offline(workspace_dir).client("s3")
    assert len(s3.get_object(Bucket="linked", Key="one")["Body"].read()) == 2_000_000
    offline_command(workspace_dir, "reset")
    assert start_offline(workspace_dir).client("s3").list_buckets()["Buckets"] == []
