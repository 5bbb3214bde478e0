"""Puts each sample that the topic delivers into the Firehose stream, as one line."""

import os

import boto3

firehose = boto3.client("firehose")


def handler(event: dict, context: object) -> dict:
    samples = [record["Sns"]["Message"] for record in event["Records"]]
    records = [{"Data": f"{sample}\n".encode()} for sample in samples]
    answer = firehose.put_record_batch(DeliveryStreamName=os.environ["STREAM_NAME"], Records=records)
    if answer["FailedPutCount"]:
        raise RuntimeError(f"{answer['FailedPutCount']} of {len(records)} samples were not taken; Lambda tries again.")
    return {"samples": len(records)}
