"""The process: started once, found again, on another port if need be, ended when asked or when idle."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from helpers.offline import process


def state_of(directory):
    return json.loads((directory / "offline.json").read_text())


def test_two_starts_at_once_make_one_server(workspace_dir, start_offline):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WORKSHOP_"))}
    command = [sys.executable, "-m", "helpers.offline", "env", "--json"]
    starts = [
        subprocess.Popen(
            command, env=environment | {"WORKSHOP_DIR": str(workspace_dir)}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [json.loads(start.communicate(timeout=90)[0]) for start in starts]
    assert said[0] == said[1] == said[2]
    start_offline(workspace_dir)
    log = (workspace_dir / "offline.log").read_text()
    assert log.count("answering at") == 1


def test_a_second_server_in_the_same_workspace_is_refused(offline, offline_command):
    second = offline_command(offline.directory, "serve", check=False)
    assert second.returncode == 1
    assert second.stderr.strip().splitlines()[-1] == f"Another offline AWS already runs in {offline.directory}."


def test_a_busy_port_is_evaded(workspace_dir, start_offline):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        process.prepare_directory(workspace_dir)
        process.write_state(workspace_dir, process.replace(process.new_state(), port=port))
        offline = start_offline(workspace_dir)
        assert state_of(workspace_dir)["port"] != port
        assert offline.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_it_comes_back_at_the_same_port_with_the_same_keys(workspace_dir, start_offline, offline_command):
    first = start_offline(workspace_dir).environment
    offline_command(workspace_dir, "stop")
    assert state_of(workspace_dir)["pid"] is None
    assert start_offline(workspace_dir).environment == first


def test_the_state_file_is_for_the_owner_alone(offline):
    assert stat.S_IMODE((offline.directory / "offline.json").stat().st_mode) == 0o600
    offline.client("sqs").create_queue(QueueName="modes")
    for path in (offline.directory / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_every_workspace_has_keys_of_its_own():
    keys = {process.new_state().secret_access_key for _ in range(20)}
    assert len(keys) == 20
    assert all(len(key) == 40 for key in keys)


def test_it_ends_when_idle(workspace_dir, offline_command, eventually):
    offline_command(workspace_dir, "start", "--idle-hours", "0.0015")  # 5.4 s: its start must see it answer
    eventually(lambda: process.read_state(workspace_dir).pid is None)
    assert json.loads(offline_command(workspace_dir, "status", "--json").stdout)["running"] is False


def test_a_stale_state_file_of_a_killed_server_does_not_mislead(workspace_dir, start_offline):
    import psutil

    start_offline(workspace_dir)
    pid = state_of(workspace_dir)["pid"]
    psutil.Process(pid).kill()
    again = start_offline(workspace_dir)
    assert state_of(workspace_dir)["pid"] != pid
    assert again.client("s3").list_buckets()["Buckets"] == []


def test_a_damaged_state_file_is_replaced(workspace_dir, start_offline):
    workspace_dir.mkdir()
    (workspace_dir / "offline.json").write_text('{"port": ')
    assert start_offline(workspace_dir).client("s3").list_buckets()["Buckets"] == []


def test_status_says_what_it_holds(offline, offline_command):
    offline.client("s3").create_bucket(Bucket="status-bucket")
    status = json.loads(offline_command(offline.directory, "status", "--json").stdout)
    assert status["running"] is True
    assert status["pid"] == state_of(offline.directory)["pid"]
    assert status["resources"]["buckets"] >= 1
    assert 20 < status["memory_mb"] < 2000
    assert "running" in offline_command(offline.directory, "status").stdout


def test_status_tells_sizes_by_service_and_the_processes_of_functions(offline, offline_command):
    offline.client("s3").create_bucket(Bucket="sizes")
    offline.client("s3").put_object(Bucket="sizes", Key="one", Body=bytes(3_000_000))
    queue = offline.client("sqs").create_queue(QueueName="sizes")["QueueUrl"]
    offline.client("sqs").send_message(QueueUrl=queue, MessageBody="x" * 50_000)
    status = json.loads(offline_command(offline.directory, "status", "--json").stdout)
    assert status["sizes_kb"]["s3"] >= 3000
    assert status["sizes_kb"]["sqs"] >= 50
    if status["processes"]:
        assert status["processes"]["memory_mb"] > 0


def test_a_number_that_now_belongs_to_another_process_does_not_mislead(workspace_dir, start_offline):
    process.prepare_directory(workspace_dir)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        process.write_state(workspace_dir, process.replace(process.new_state(), pid=other.pid, started=time.time()))
        start_offline(workspace_dir)
        assert state_of(workspace_dir)["pid"] != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_running_server_is_found_whatever_the_clock_says_and_writes_a_lost_state_file_anew(
    workspace_dir, start_offline, offline_command
):
    first = start_offline(workspace_dir).environment
    state = state_of(workspace_dir)
    process.write_state(workspace_dir, process.replace(process.State(**state), started=state["started"] - 86_400))
    assert start_offline(workspace_dir).environment == first
    (workspace_dir / "offline.json").write_text("{")
    assert start_offline(workspace_dir).environment == first
    (workspace_dir / "offline.json").unlink()
    assert start_offline(workspace_dir).environment == first
    assert state_of(workspace_dir)["pid"] == state["pid"]
    assert offline_command(workspace_dir, "stop").stdout == "Stopped.\n"


def test_a_workspace_that_is_moved_keeps_what_it_held_and_its_server_does_not_outlive_it(workspace_dir, start_offline):
    import psutil

    offline = start_offline(workspace_dir)
    offline.client("s3").create_bucket(Bucket="moved")
    offline.client("s3").put_object(Bucket="moved", Key="one", Body=b"x" * 2_000_000)
    server = psutil.Process(state_of(workspace_dir)["pid"])
    elsewhere = workspace_dir.parent / "elsewhere"
    workspace_dir.rename(elsewhere)
    server.wait(60)
    again = start_offline(elsewhere)
    assert len(again.client("s3").get_object(Bucket="moved", Key="one")["Body"].read()) == 2_000_000
    assert start_offline(workspace_dir).client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("command", ["reset", "stop"])
def test_a_directory_of_others_is_left_alone(tmp_path, offline_command, command):
    for name in ("state", "objects"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("precious")
    done = offline_command(tmp_path, command, check=False)
    assert (tmp_path / "state" / "mine").read_text() == (tmp_path / "objects" / "mine").read_text() == "precious"
    if command == "reset":
        assert done.returncode == 1
        assert done.stderr == f"{tmp_path} holds no offline AWS, so nothing in it was deleted.\n"


def test_reset_while_clients_write_wipes_what_was_there_and_nothing_of_it_comes_back(
    workspace_dir, start_offline, offline_command
):
    offline = start_offline(workspace_dir)
    (workspace_dir / "mine").write_text("precious")
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="gone")
    written = threading.Event()

    def write():
        try:
            for number in range(100_000):
                s3.put_object(Bucket="gone", Key=f"{number}", Body=b"x" * 1000)
                written.set()
        except Exception:
            return

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    assert written.wait(90)
    offline_command(workspace_dir, "reset")
    assert not (workspace_dir / "objects").exists() and not (workspace_dir / "state").exists()
    again = start_offline(workspace_dir)
    for writer in writers:
        writer.join(60)
    assert again.client("s3").list_buckets()["Buckets"] == []
    assert (workspace_dir / "mine").read_text() == "precious"


def test_reset_wipes_everything_but_the_name_and_the_log(workspace_dir, start_offline, offline_command):
    offline = start_offline(workspace_dir)
    (workspace_dir / "participant").write_text("amber-falcon")
    offline.client("s3").create_bucket(Bucket="gone-after-reset")
    offline_command(workspace_dir, "reset")
    assert (workspace_dir / "participant").read_text() == "amber-falcon"
    assert start_offline(workspace_dir).client("s3").list_buckets()["Buckets"] == []


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.isdir("/proc"), reason="root may write anywhere")
def test_an_unwritable_directory_is_one_clear_sentence(offline_command):
    for directory in ("/proc/workshop", "/dev/null/workshop"):
        failed = offline_command(directory, "start", check=False)
        assert failed.returncode == 1
        assert failed.stderr.startswith("The offline AWS cannot write to /")
        assert failed.stderr.count("\n") == 1


def test_a_server_that_cannot_start_says_why_and_where_to_look(workspace_dir, offline_command):
    workspace_dir.mkdir()
    (workspace_dir / "state" / "sqs.snapshot").mkdir(parents=True)
    failed = offline_command(workspace_dir, "start", check=False)
    assert failed.returncode == 1
    assert "did not start: " in failed.stderr and "sqs.snapshot cannot be read (Is a directory)" in failed.stderr
    assert str(workspace_dir / "offline.log") in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_the_command_line_loads_nothing_heavy():
    heavy = "('moto', 'boto3', 'botocore', 'uvicorn', 'numpy')"
    script = f"import sys, helpers.offline.__main__; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


def test_env_is_a_shell_script(offline, offline_command):
    exports = offline_command(offline.directory, "env").stdout
    script = f'{exports}\necho "$AWS_ENDPOINT_URL|$AWS_DEFAULT_REGION|$AWS_EC2_METADATA_DISABLED|$AWS_PROFILE"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env={"AWS_PROFILE": "mine"}).stdout
    assert said.strip() == f"{offline.endpoint_url}|us-east-1|true|"


@pytest.mark.parametrize("port", ["abc", "99999999", "-1", "4710.5"])
def test_an_impossible_port_is_one_sentence_and_leaves_nothing(workspace_dir, offline_command, port):
    failed = offline_command(workspace_dir, "start", check=False, WORKSHOP_PORT=port)
    said = f"WORKSHOP_PORT is a port from 1 to 65535, or 0 for one that is free; got '{port}'.\n"
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", said)
    assert not workspace_dir.exists()


@pytest.mark.parametrize(("option", "value"), [("--port", "65536"), ("--port", "-1"), ("--idle-hours", "-3")])
@pytest.mark.parametrize("command", ["start", "serve"])
def test_an_impossible_option_is_named(workspace_dir, offline_command, command, option, value):
    failed = offline_command(workspace_dir, command, option, value, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{option} is a ") and f"got {value}" in failed.stderr
    assert failed.stderr.count("\n") == 1 and not workspace_dir.exists()


@pytest.mark.parametrize("hours", ["abc", "0", "nan"])
def test_an_impossible_idle_time_is_one_sentence(workspace_dir, offline_command, hours):
    failed = offline_command(workspace_dir, "start", check=False, WORKSHOP_IDLE_HOURS=hours)
    assert failed.stderr == f"WORKSHOP_IDLE_HOURS is a number of hours above 0, such as 12 or 0.5; got '{hours}'.\n"
    assert failed.returncode == 1


def test_settings_that_are_empty_are_as_if_they_were_not_there(monkeypatch):
    monkeypatch.setenv("WORKSHOP_PORT", "")
    monkeypatch.setenv("WORKSHOP_IDLE_HOURS", " ")
    assert (process.wanted_port(None), process.wanted_idle_hours(None)) == (None, process.IDLE_HOURS)
    monkeypatch.setenv("WORKSHOP_PORT", " 4711 ")
    assert process.wanted_port(None) == 4711
