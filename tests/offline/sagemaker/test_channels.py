"""How a channel's objects come to a job: as copies of its own, within its volume, and in the modes that AWS has."""

import gzip
import os
import threading

import pytest

from helpers.offline.services.sagemaker import channels as module


def running(sagemaker, uri, eventually, **changes):
    """The name of a job that trains until it is stopped."""
    request = sagemaker.request({"train": uri}, {"num_round": "1000000"})
    request["ResourceConfig"]["InstanceCount"] = changes.pop("hosts", 1)
    request["AlgorithmSpecification"]["TrainingInputMode"] = changes.pop("mode", "File")
    sagemaker.client.create_training_job(**request)
    name = request["TrainingJobName"]
    described = sagemaker.client.describe_training_job
    eventually(lambda: described(TrainingJobName=name)["SecondaryStatus"] == "Training", 60)
    return name


def files(sagemaker, job):
    folder = sagemaker.offline.directory / "sagemaker" / "jobs" / f"us-east-1-{job}"
    return sorted(folder.glob("algo-*/input/data/train/*"))


@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_a_job_that_writes_into_its_channel_changes_nothing_in_s3(sagemaker, numbers_csv, unique, eventually, mode):
    key = f"{unique('own')}/a.csv"
    body = numbers_csv(200, 1)
    name = running(sagemaker, sagemaker.put(key, body), eventually, mode=mode)
    (path,) = files(sagemaker, name)
    assert path.read_bytes() == body
    with path.open("r+b") as file:
        file.write(b"0,0,0,0\n")
    path.chmod(0)
    assert sagemaker.s3.get_object(Bucket=sagemaker.bucket, Key=key)["Body"].read() == body
    sagemaker.client.stop_training_job(TrainingJobName=name)
    assert sagemaker.wait(name)["TrainingJobStatus"] == "Stopped"


def test_the_hosts_of_a_job_share_one_copy(sagemaker, numbers_csv, unique, eventually):
    name = running(sagemaker, sagemaker.put(f"{unique('own')}/a.csv", numbers_csv(200, 1)), eventually, hosts=2)
    first, second = (path.stat() for path in files(sagemaker, name))
    assert first.st_ino == second.st_ino and first.st_nlink == 2
    sagemaker.client.stop_training_job(TrainingJobName=name)
    sagemaker.wait(name)


def test_fast_file_mode_wants_a_whole_name(sagemaker, numbers_csv, unique):
    key = unique("fast")
    for name in ("train/a.csv", "train-more/b.csv"):
        sagemaker.put(f"{key}/{name}", numbers_csv(50, 1))

    def ended(uri):
        request = sagemaker.request({"train": f"s3://{sagemaker.bucket}/{key}/{uri}"}, {"num_round": "1"})
        request["AlgorithmSpecification"]["TrainingInputMode"] = "FastFile"
        sagemaker.client.create_training_job(**request)
        return sagemaker.wait(request["TrainingJobName"])

    assert ended("train")["FailureReason"].startswith(
        "ClientError: Data download failed:Failed to download data. For FastFile mode, partial S3 prefix is not "
        "supported. S3 prefix has to end with a full file or folder. Add a trailing '/' to the S3 prefix"
    )
    for uri in ("train/", "train/a.csv", "train-more"):
        assert ended(uri)["TrainingJobStatus"] == "Completed"


def compressed(sagemaker, uri, **changes):
    request = sagemaker.request({"train": uri}, {"num_round": "1"}, **changes)
    request["InputDataConfig"][0]["CompressionType"] = "Gzip"
    sagemaker.client.create_training_job(**request)
    return sagemaker.wait(request["TrainingJobName"])


def test_a_gzip_channel_is_unpacked(sagemaker, numbers_csv, unique):
    job = compressed(sagemaker, sagemaker.put(f"{unique('gzip')}/a.csv.gz", gzip.compress(numbers_csv(70, 1))))
    assert job["TrainingJobStatus"] == "Completed" and job["InputDataConfig"][0]["CompressionType"] == "Gzip"
    assert any("Train matrix has 70 rows" in line for line in sagemaker.log(job["TrainingJobName"]))


@pytest.mark.parametrize("damage", ["torn", "overwritten", "plain"])
def test_a_gzip_channel_that_is_none_fails_the_download(sagemaker, numbers_csv, unique, damage):
    packed = gzip.compress(numbers_csv(70, 1))
    body = {"torn": packed[:-20], "overwritten": packed[:40] + bytes(40) + packed[80:], "plain": b"1,2\n"}[damage]
    job = compressed(sagemaker, sagemaker.put(f"{unique('gzip')}/a.csv.gz", body))
    assert job["FailureReason"].startswith("ClientError: Data download failed:a.csv cannot be decompressed: ")
    assert job["SecondaryStatusTransitions"][-2]["Status"] == "Downloading"


def test_a_volume_bounds_what_is_unpacked_and_what_is_copied(tmp_path):
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(20 << 20)))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(OSError, match="Insufficient disk space"):
        module.unpack(bomb, tmp_path / "bomb", module.Room(tmp_path, 8 << 20))
    assert (tmp_path / "bomb").stat().st_size <= 8 << 20
    with pytest.raises(OSError, match="Insufficient disk space"):
        module.Room(tmp_path, 1000).take(1001)
    room = module.Room(tmp_path, 1000)
    room.take(600)
    with pytest.raises(OSError, match="Insufficient disk space"):
        room.take(600)


def test_a_copy_has_all_of_the_bytes_on_any_file_system(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    room = module.Room(tmp_path)
    module.copy(source, tmp_path / "one", room)

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    module.copy(source, tmp_path / "two", room)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == source.read_bytes()


def test_a_stop_ends_a_download_at_once(tmp_path, monkeypatch):
    """Within a file too: a large one takes minutes on a slow disk."""
    source, packed, stopping = tmp_path / "source", tmp_path / "source.gz", threading.Event()
    source.write_bytes(bytes(8 << 20))
    packed.write_bytes(gzip.compress(bytes(8 << 20)))
    room = module.Room(tmp_path, stopping=stopping)
    monkeypatch.setattr(module, "STEP_BYTES", 1 << 20)
    module.copy(source, tmp_path / "whole", room)
    stopping.set()
    for act in (lambda: module.copy(source, tmp_path / "a", room), lambda: module.unpack(packed, tmp_path / "b", room)):
        with pytest.raises(module.Interrupted):
            act()
    assert (tmp_path / "a").stat().st_size <= 1 << 20 and (tmp_path / "whole").stat().st_size == 8 << 20


def test_a_job_that_is_stopped_while_its_data_come_is_stopped(sagemaker, unique, eventually):
    """Many objects, so that the download takes a while; it may have ended before the stop comes."""
    prefix = unique("many")
    for number in range(300):
        uri = sagemaker.put(f"{prefix}/{number}.csv", b"1,2,3\n")
    request = sagemaker.request({"train": uri}, {"num_round": "1000000"})
    sagemaker.client.create_training_job(**request)
    name = request["TrainingJobName"]
    described = sagemaker.client.describe_training_job
    eventually(lambda: described(TrainingJobName=name)["SecondaryStatus"] != "Starting", 60)
    sagemaker.client.stop_training_job(TrainingJobName=name)
    job = sagemaker.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
