"""The fulfillment centre's side, which learners are given: the topic to which it publishes one message per sample."""

from helpers.workshop import Workshop


def build(ws: Workshop) -> list[str]:
    """Make the topic; SNS answers the same ARN if it is there already."""
    ws.client("sns").create_topic(Name=ws.topic_arn.rsplit(":", 1)[1], Tags=ws.tags)
    return []
