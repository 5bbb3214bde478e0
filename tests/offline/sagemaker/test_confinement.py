"""What a training process and a model's archive cannot do."""

import ctypes
import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from helpers.offline.services.sagemaker import job_files
from helpers.offline.services.sagemaker.serving import container
from helpers.offline.services.sagemaker.serving.container import LoadError, unpack

TRESPASS = """
import json, os, resource, sys
from pathlib import Path
from helpers.offline.services.sagemaker.algorithms.__main__ import confine
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory

own, secret, outside = map(Path, sys.argv[1:4])
confine(JobDirectory(own))
found = {"limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in
    ("RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_AS", "RLIMIT_NPROC")}}
found["variables"] = [name for name in os.environ if name.startswith(("AWS", "WORKSHOP"))]
def attempt(name, action):
    try:
        action()
        found[name] = "done"
    except OSError as error:
        found[name] = type(error).__name__
attempt("own", lambda: (own / "model" / "x").write_text("x"))
attempt("secret", secret.read_text)
attempt("outside", lambda: outside.write_text("x"))
attempt("server", lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes())
attempt("libraries", lambda: __import__("xgboost"))
found["place"] = [os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"]]
print(json.dumps(found))
"""
FORK = """
import json, os, sys
from helpers.offline.services.sagemaker.algorithms import standby

standby.main = lambda algorithm, directory: exec(algorithm, {}) or 7
order = {"algorithm": sys.argv[4], "directory": sys.argv[1], "environment": json.loads(sys.argv[5])}
open_files = [os.open(os.devnull, os.O_RDONLY), os.dup(1)]
if not (pid := os.fork()):
    standby.train(order, *open_files)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""


def has_landlock() -> bool:
    return sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1


@pytest.fixture(params=["fresh", "forked"])
def trespass(tmp_path, request):
    """What a training process found that tried everything: one that starts anew, and one that is forked."""
    from helpers.offline.services.sagemaker.job_host import environment

    own = tmp_path / "sagemaker" / "jobs" / "us-east-1-mine" / "algo-1"
    for folder in ("model", "input/config"):
        (own / folder).mkdir(parents=True)
    (own / "input" / "config" / "resourceconfig.json").write_text(json.dumps({"volume_gb": 3}))
    secret = tmp_path / "offline.json"
    secret.write_text("the keys of the workspace")
    places = [str(own), str(secret), str(tmp_path / "outside")]
    if request.param == "fresh":
        command, where = [sys.executable, "-P", "-c", TRESPASS, *places], {"cwd": own, "env": environment(own)}
    else:
        command = [sys.executable, "-P", "-c", FORK, *places, TRESPASS, json.dumps(environment(own))]
        where = {"cwd": tmp_path, "env": environment(tmp_path) | {"AWS_SECRET_ACCESS_KEY": "another's"}}
    done = subprocess.run(command, **where, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"expected": [str(own)] * 3}


def test_a_training_process_has_limits_and_no_credentials(trespass):
    limits = trespass["limits"]
    assert (limits["RLIMIT_FSIZE"], limits["RLIMIT_CORE"]) == (3 << 30, 0)
    assert 0 < limits["RLIMIT_NOFILE"] <= 4096
    assert 0 < limits["RLIMIT_AS"] <= 2 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < limits["RLIMIT_NPROC"] < 1_000_000
    assert trespass["variables"] == []
    assert (trespass["own"], trespass["libraries"]) == ("done", "done")
    assert trespass["place"] == trespass["expected"]


@pytest.mark.skipif(not has_landlock(), reason="no Landlock in this kernel")
def test_a_training_process_does_not_reach_the_workspaces_keys(trespass):
    assert {trespass[name] for name in ("secret", "outside", "server")} == {"PermissionError"}


def archive(*members, content=b""):
    """A tar.gz with these entries: (name, type, target of a link, size)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=9) as tar:
        for name, kind, target, size in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, target, size
            tar.addfile(entry, io.BytesIO(content or bytes(size)) if size else None)
    return packed.getvalue()


def test_a_models_archive_leads_out_of_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "secret"
    outside.write_text("mine")
    hostile = archive(
        ("link", tarfile.SYMTYPE, str(outside), 0),
        ("hard", tarfile.LNKTYPE, str(outside), 0),
        ("device", tarfile.CHRTYPE, "", 0),
        ("pipe", tarfile.FIFOTYPE, "", 0),
        ("../../up", tarfile.REGTYPE, "", 3),
        (str(tmp_path / "absolute"), tarfile.REGTYPE, "", 3),
        ("./xgboost-model", tarfile.REGTYPE, "", 3),
        content=b"abc",
    )
    files = unpack(hostile)
    assert files["xgboost-model"] == b"abc"
    assert b"mine" not in files.values()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_an_archive_that_unpacks_to_far_too_much_is_refused():
    bomb = archive(("xgboost-model", tarfile.REGTYPE, "", 64 * 1024**2))
    assert len(bomb) < 100_000
    with pytest.raises(LoadError, match="more than 100 times its size"):
        unpack(bomb)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(container, "LARGEST_MODEL_BYTES", 1000)
    with pytest.raises(LoadError, match="larger than"):
        unpack(archive(("xgboost-model", tarfile.REGTYPE, "", 1001)))


def test_links_that_a_job_leaves_lead_the_server_nowhere(tmp_path):
    """The server reads what a job left, and sees more than the job did."""
    home, outside = tmp_path / "job", tmp_path / "outside"
    host = home / "algo-1"
    for folder in (host / "model" / "deep", host / "output", outside):
        folder.mkdir(parents=True)
    for path in (host / "model" / "a", host / "model" / "deep" / "b", outside / "secret"):
        path.write_text(path.name)
    (host / "model" / "leak").symlink_to(outside / "secret")
    (host / "model" / "folder").symlink_to(outside)
    (host / "output" / "failure").symlink_to(outside / "secret")
    os.mkfifo(host / "model" / "pipe")
    assert sorted(unpack(job_files.packed(home, host / "model"))) == ["a", "deep/b"]
    assert job_files.text_of(home, host / "output" / "failure") == ""
    (host / "model").rename(host / "was")
    (host / "model").symlink_to(outside)
    assert job_files.regular_files(home, host / "model") == []
    host.rename(home / "gone")
    host.symlink_to(outside.parent / "job" / "gone")
    assert job_files.regular_files(home, host / "was") == []


def test_a_job_that_puts_a_link_beside_its_model_uploads_the_model_alone(sagemaker, channels, eventually, unique):
    given = {"num_round": "1000000", "save_model_on_termination": "true"}
    prefix = unique("links")
    request = sagemaker.request({"train": channels["train"]}, given, TrainingJobName=prefix)
    request["CheckpointConfig"] = {"S3Uri": f"s3://{sagemaker.bucket}/{prefix}"}
    sagemaker.client.create_training_job(**request)
    host = sagemaker.offline.directory / "sagemaker" / "jobs" / f"us-east-1-{prefix}" / "algo-1"
    eventually(lambda: (host / "model" / "xgboost-model").exists(), 60)
    keys = sagemaker.offline.directory / "offline.json"
    for folder in ("model", "checkpoints", "output/data"):
        (host / folder / "leak").symlink_to(keys)
    sagemaker.client.stop_training_job(TrainingJobName=prefix)
    job = sagemaker.wait(prefix)
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    assert list(unpack(sagemaker.s3.get_object(Bucket=bucket, Key=key)["Body"].read())) == ["xgboost-model"]
    found = sagemaker.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    assert not [one["Key"] for one in found if "leak" in one["Key"]]
    assert "output.tar.gz" not in {
        one["Key"].rpartition("/")[2]
        for one in sagemaker.s3.list_objects_v2(Bucket=bucket, Prefix=f"out/{prefix}/")["Contents"]
    }
