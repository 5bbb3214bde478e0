"""What collecting samples costs on AWS: list prices of us-east-1, without free tiers; look at AWS's price pages too."""

SECONDS_PER_MONTH = 30 * 24 * 3600

SNS_PUBLISH = 0.50e-6  # $ per request; a request of PublishBatch carries up to ten messages
SNS_TO_FIREHOSE = 0.19e-6  # $ per message delivered; delivery to Lambda is free
LAMBDA_REQUEST = 0.20e-6  # $ per invocation
LAMBDA_GB_SECOND = 0.0000166667  # $ on x86
FIREHOSE_GB = 0.029  # $ per GB taken in by direct put
FIREHOSE_ROUNDING_BYTES = 5 * 1024  # every record is billed as a multiple of 5 KB
S3_PUT = 0.005 / 1000  # $ per request
FLUSH_S = 2  # an object every 2 s, as lab 1 sets the buffer


def collection_per_month(
    samples_per_second: float, *, through_lambda: bool, lambda_ms: float = 10, lambda_mb: int = 256
) -> dict[str, float]:
    """$ per month of each part, for samples of less than 5 KB published ten at a time and flushed every 2 s.

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
