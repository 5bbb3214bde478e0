"""A training job of 1,500,000 x 12 rows from CreateTrainingJob to Completed, against xgboost.train on the same rows."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.local_aws import local_aws
from benchmarks.models import IMAGE, role, rows
from benchmarks.ratio import Ratio, in_turn, show

ROWS, ROUNDS = 1_500_000, 20
HYPERPARAMETERS = {"num_round": str(ROUNDS), "max_depth": "6", "eta": "0.3", "tree_method": "hist", "nthread": "2"}
PEER = f"""
import sys, time
import pandas as pd, xgboost
started = time.perf_counter()
table = pd.read_csv(sys.argv[1], header=None, dtype="float32", engine="c")
matrix = xgboost.DMatrix(table.iloc[:, 1:], table[0])
xgboost.train({{"max_depth": 6, "eta": 0.3, "tree_method": "hist", "nthread": 2}}, matrix, num_boost_round={ROUNDS},
              evals=[(matrix, "train")], verbose_eval=False)
print(time.perf_counter() - started)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        file = Path(folder) / "train.csv"
        x, y = rows(ROWS)
        table = pd.DataFrame(x).astype("float32").round(1)
        table.insert(0, "y", y.astype("int64"))
        table.to_csv(file, header=False, index=False)
        aws.client("s3").create_bucket(Bucket="bench")
        aws.client("s3").upload_file(str(file), "bench", "train/train.csv")
        role_arn = role(aws.client("iam"))
        sagemaker = aws.client("sagemaker")
        number = 0

        def job() -> float:
            nonlocal number
            number += 1
            name = f"bench-{number}"
            source = {
                "S3DataType": "S3Prefix",
                "S3Uri": "s3://bench/train/",
                "S3DataDistributionType": "FullyReplicated",
            }
            started = time.perf_counter()
            sagemaker.create_training_job(
                TrainingJobName=name,
                AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
                RoleArn=role_arn,
                InputDataConfig=[
                    {"ChannelName": "train", "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}
                ],
                OutputDataConfig={"S3OutputPath": "s3://bench/out"},
                ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
                StoppingCondition={"MaxRuntimeInSeconds": 3600},
                HyperParameters=HYPERPARAMETERS,
            )
            while (status := sagemaker.describe_training_job(TrainingJobName=name))[
                "TrainingJobStatus"
            ] == "InProgress":
                time.sleep(0.05)
            if status["TrainingJobStatus"] != "Completed":
                raise RuntimeError(status.get("FailureReason"))
            return time.perf_counter() - started

        def alone() -> float:
            quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}  # as the job has it
            command = [sys.executable, "-c", PEER, file]
            run = subprocess.run(command, check=True, capture_output=True, text=True, env=quiet)
            return float(run.stdout)

        seconds = in_turn([job, alone], 3)
    show(
        f"{ROWS:,} x 12 rows, {ROUNDS} rounds, 2 threads",
        [
            Ratio(
                f"training job of {ROWS:,} x 12 rows, {ROUNDS} rounds, until Completed",
                "read the CSV once and `xgboost.train`, imports not counted",
                *seconds,
                "s",
                1.15,
                False,
            )
        ],
    )


if __name__ == "__main__":
    main()
