"""What the labs would have cost on AWS, at list prices of us-east-1 in US dollars, without free tiers and taxes.

The prices are assumptions with a date. Those of Lambda, API Gateway, SNS, CloudWatch, S3 and SageMaker agree with
public comparisons and cost tables read in November 2026. Of Firehose, AWS's page confirms the rounding to 5 KB; its
price per GB is the list price of earlier years, for which no newer source was found. They change and differ by region:
AWS's own pages (SOURCE) decide.
"""

from helpers.resources.model_training import INSTANCE

AS_OF = "November 2026"
SOURCE = "aws.amazon.com/<service>/pricing"
SECONDS_PER_MONTH = 30 * 24 * 3600

INSTANCE_HOUR = 0.115  # $ per hour of one ml.m5.large, training or serving, billed by the second
API_REQUEST = 3.50e-6  # $ per request to a REST API
ALARM_MONTH = 0.30  # $ per month of a high-resolution alarm
DASHBOARD_MONTH = 3.00  # $ per month of a dashboard
METRIC_MONTH = 0.30  # $ per month of a custom metric
MONTH_H = SECONDS_PER_MONTH / 3600

SNS_PUBLISH = 0.50e-6  # $ per request; a request of PublishBatch carries up to ten messages
SNS_TO_FIREHOSE = 0.19e-6  # $ per message delivered; delivery to Lambda is free
LAMBDA_REQUEST = 0.20e-6  # $ per invocation
LAMBDA_GB_SECOND = 0.0000166667  # $ on x86
FIREHOSE_GB = 0.029  # $ per GB taken in by direct put
FIREHOSE_ROUNDING_BYTES = 5 * 1024  # every record is billed as a multiple of 5 KB
S3_PUT = 0.005 / 1000  # $ per request
FLUSH_S = 1  # an object every second, as lab 1 sets the buffer


def collection_per_month(
    samples_per_second: float, *, through_lambda: bool, lambda_ms: float = 10, lambda_mb: int = 256
) -> dict[str, float]:
    """$ per month of each part, for samples of less than 5 KB published ten at a time and flushed every second.

    Parameters
    ----------
    lambda_ms : how long the function works on one message
    """
    samples = samples_per_second * SECONDS_PER_MONTH
    bill = {"SNS requests": samples / 10 * SNS_PUBLISH}
    if through_lambda:
        bill["Lambda requests"] = samples * LAMBDA_REQUEST
        bill["Lambda time"] = samples * lambda_ms / 1000 * lambda_mb / 1024 * LAMBDA_GB_SECOND
    else:
        bill["SNS delivery"] = samples * SNS_TO_FIREHOSE
    bill["Firehose"] = samples * FIREHOSE_ROUNDING_BYTES / 1024**3 * FIREHOSE_GB
    bill["S3 requests"] = SECONDS_PER_MONTH / FLUSH_S * S3_PUT
    return bill


# For each lab: what is paid for, how many, in which unit, and the price of one in $. A job is taken to last four
# minutes on AWS, most of it the start of its machine; you are taken to need an hour for a lab.
JOB = 4 / 60 * INSTANCE_HOUR
LABS = {
    1: (
        ("SNS requests", 520, "requests", SNS_PUBLISH),
        ("Lambda", 5_000, "calls", LAMBDA_REQUEST + 0.010 * 0.25 * LAMBDA_GB_SECOND),
        ("Firehose", 6_000, "records", FIREHOSE_ROUNDING_BYTES / 1024**3 * FIREHOSE_GB),
        ("S3", 50, "objects written", S3_PUT),
    ),
    2: (
        (f"training on {INSTANCE}", 9, "jobs of 4 minutes", JOB),
        (f"endpoint on {INSTANCE}", 1, "hour", INSTANCE_HOUR),
    ),
    3: (
        (f"your endpoint on {INSTANCE}", 1, "hour", INSTANCE_HOUR),
        ("the house's endpoints", 4, "hours", INSTANCE_HOUR),
        ("the second region, 1 to 5 instances", 2, "instance hours", INSTANCE_HOUR),
        ("the house's training", 4, "jobs of 4 minutes", JOB),
        ("REST API and Lambda", 3_000, "requests", API_REQUEST + LAMBDA_REQUEST + 0.020 * 0.25 * LAMBDA_GB_SECOND),
    ),
    4: (
        (f"endpoint on {INSTANCE}", 1, "hour", INSTANCE_HOUR),
        (f"retraining on {INSTANCE}", 1, "job of 4 minutes", JOB),
        ("REST API and Lambda", 4_000, "requests", API_REQUEST + LAMBDA_REQUEST + 0.020 * 0.25 * LAMBDA_GB_SECOND),
        ("alarm, dashboard and metrics", 1, "hour", (ALARM_MONTH + DASHBOARD_MONTH + 4 * METRIC_MONTH) / MONTH_H),
    ),
}


def show(lab: int) -> None:
    """Print what a lab would have cost on AWS, with the prices' date.

    Raises
    ------
    ValueError : there is no such lab
    """
    if lab not in LABS:
        raise ValueError(f"There are labs 1 to 4, got {lab!r}.")
    total = 0.0
    for what, count, unit, price in LABS[lab]:
        total += count * price
        print(f"{what:36} {count:6,} {unit:20} {_dollars(count * price):>7}")
    print(f"{'together':64} {_dollars(total):>7}")
    print(f"US dollars, list prices of us-east-1 as assumed in {AS_OF}; today's: {SOURCE}")


def _dollars(amount: float) -> str:
    return f"${amount:.3f}" if amount >= 0.001 else "<$0.001"
