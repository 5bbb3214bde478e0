"""Checkpoints of a training job: CheckpointConfig's S3 prefix and the directory that the algorithm writes to.

SageMaker copies while the job runs; here it is done once, when the algorithm has ended, however it ended.
"""

from __future__ import annotations

from pathlib import Path

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import channels, job_files, roles
from helpers.offline.services.sagemaker.records import TrainingJob


def download(kernel: Kernel, job: TrainingJob, directory: Path) -> None:
    """Makes `directory`, with what an earlier job left under the prefix. Raises AwsError."""
    bucket, prefix = _place(job)
    directory.mkdir(parents=True)
    for found in kernel.ports.objects.list(bucket, prefix):
        if found.key.endswith("/"):
            continue
        target = directory / channels.inside(found.key[len(prefix) :])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(kernel.ports.objects.get(bucket, found.key))


def upload(kernel: Kernel, job: TrainingJob, directory: Path) -> None:
    """Raises AwsError."""
    bucket, prefix = _place(job)
    for path in job_files.regular_files(directory.parents[1], directory):
        key = prefix + path.relative_to(directory).as_posix()
        problem = roles.refusal(kernel, job.request["RoleArn"], "PutObject", bucket, key)
        if problem:
            raise AwsError("AccessDenied", problem, 403)
        kernel.ports.objects.put(bucket, key, path.read_bytes())


def _place(job: TrainingJob) -> tuple[str, str]:
    bucket, prefix = channels.split_uri(job.request["CheckpointConfig"]["S3Uri"])
    return bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
