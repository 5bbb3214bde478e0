"""Training processes are forked from one that has xgboost imported: what they share, and what they do not."""

import os
import signal
import sys

import psutil
import pytest

from helpers.offline import process
from helpers.offline.services.sagemaker.algorithms import standby
from helpers.offline.services.sagemaker.job_host import environment
from helpers.offline.services.sagemaker.job_processes import Forked, JobProcesses, Standby

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="training processes are forked on Linux alone")


def workers(offline, name: str) -> list[psutil.Process]:
    """The processes of the server that work in that job's directory."""
    server = psutil.Process(process.read_state(offline.directory).pid)
    return [child for child in server.children(recursive=True) if f"-{name}" in child.cwd()]


@pytest.fixture
def running(sagemaker, offline, channels, eventually):
    """A job without end, stopped at last: (its name, its process)."""
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1000000"})
    sagemaker.client.create_training_job(**request)
    name = request["TrainingJobName"]
    (found,) = eventually(lambda: workers(offline, name), 60)
    yield name, found
    if sagemaker.client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress":
        sagemaker.client.stop_training_job(TrainingJobName=name)
        sagemaker.wait(name)


def test_a_job_holds_its_own_three_pipes_and_no_other_jobs(running, sagemaker, offline, channels, eventually):
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1000000"})
    sagemaker.client.create_training_job(**request)
    (second,) = eventually(lambda: workers(offline, request["TrainingJobName"]), 60)
    first = running[1]
    assert first.parent() == second.parent() and "standby" in " ".join(first.parent().cmdline())

    def pipes(one: psutil.Process) -> set[str]:
        ends = [os.readlink(f"/proc/{one.pid}/fd/{number}") for number in os.listdir(f"/proc/{one.pid}/fd")]
        return {end for end in ends if end.startswith(("pipe:", "socket:"))}

    assert len(pipes(first)) == 2  # its input; its output, which is its error output too
    assert len(pipes(second)) == 2 and not pipes(first) & pipes(second)
    sagemaker.client.stop_training_job(TrainingJobName=request["TrainingJobName"])
    assert sagemaker.wait(request["TrainingJobName"])["TrainingJobStatus"] == "Stopped"
    assert not second.is_running()


def test_when_the_standby_process_is_killed_its_job_fails_and_the_next_one_trains(running, sagemaker, channels):
    name, worker = running
    worker.parent().kill()
    job = sagemaker.wait(name)
    assert job["TrainingJobStatus"] == "Failed" and "exit code: -9" in job["FailureReason"]
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running()
    assert sagemaker.train({"train": channels["train"]}, {"num_round": "2"})["TrainingJobStatus"] == "Completed"


@pytest.fixture
def processes(tmp_path):
    made = JobProcesses(tmp_path / "home", environment(tmp_path / "home"))
    yield made
    made.stop()


def start(processes: JobProcesses, directory, is_alone=True):
    directory.mkdir(exist_ok=True)
    return processes.start("xgboost", directory, environment(directory), is_alone=is_alone)


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_failure_has_the_same_exit_code_and_words_whichever_way_it_starts(processes, tmp_path, is_alone):
    found = start(processes, tmp_path / "job", is_alone)  # a directory without what a job needs
    assert isinstance(found, Forked) == is_alone
    assert b"FileNotFoundError" in found.stdout.read()
    assert found.wait() == 1 and found.poll() == 1
    found.kill()  # of what has ended is nothing


def test_where_no_standby_process_can_be_had_each_job_gets_a_fresh_python(processes, tmp_path, monkeypatch):
    def none(self, *given):
        raise OSError("none today")

    monkeypatch.setattr(Standby, "fork", none)
    found = start(processes, tmp_path / "job")
    assert not isinstance(found, Forked)
    found.communicate()
    assert found.returncode == 1


def test_a_signal_reaches_the_fork_and_its_number_comes_back(processes, tmp_path):
    directory = tmp_path / "job"
    (directory / "input" / "config").mkdir(parents=True)
    os.mkfifo(directory / "input" / "config" / "resourceconfig.json")  # at which it waits
    found = start(processes, directory)
    assert found.poll() is None
    found.terminate()
    assert found.wait() == -signal.SIGTERM


def test_forks_do_not_share_the_chance_of_numpys_global_generator(tmp_path):
    import numpy

    numpy.random.seed(1)
    expected = numpy.random.RandomState(1).random_sample(4)
    state = numpy.random.get_state()
    standby._seed_numpy()
    try:
        assert (numpy.random.random_sample(4) != expected).any()
    finally:
        numpy.random.set_state(state)


def test_a_standby_process_that_nobody_needs_ends_and_the_next_job_has_a_new_one(processes, tmp_path, monkeypatch):
    start(processes, tmp_path / "job").wait()
    first = processes.standby._process
    first.kill()
    first.wait()
    assert isinstance(start(processes, tmp_path / "job"), Forked)
    assert processes.standby._process.pid != first.pid


def test_it_ends_by_itself_when_nobody_asks(monkeypatch):
    import socket

    monkeypatch.setattr(standby, "IDLE_S", 0.0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        standby.serve(theirs)
