"""What the journal of SQS says after a kill: the queues as they were, soon, however many messages wait in them."""

import time

import pytest
from moto.sqs.models import Message, sqs_backends

from helpers.offline.services.sqs.journal import MessageJournal

ACCOUNT = "210987654321"


@pytest.fixture
def make(tmp_path, unique):
    """make(count) -> a journal of a queue that got so many messages, and the queue, which is empty again."""

    def made(count: int):
        name = unique("queue")
        journal = MessageJournal(tmp_path / name, ACCOUNT, lambda: None)
        backend = sqs_backends[ACCOUNT]["us-east-1"]
        backend.create_queue(name, {})
        queue = backend.queues[name]
        for number in range(count):
            message = Message(f"id-{number}", f"body {number}")
            journal._note("sent", queue, message.id, message.__dict__)
        return journal, queue

    return made


def bodies(queue):
    return [message.body for message in queue._messages]


def test_messages_come_back_in_order_without_those_that_were_deleted(make):
    journal, queue = make(4)
    journal._note("deleted", queue, "id-1")
    journal._note("received", queue, "id-2", {"approximate_receive_count": 3})
    queue._messages.append(Message("older", "of the snapshot"))
    journal.replay()
    assert bodies(queue) == ["of the snapshot", "body 0", "body 2", "body 3"]
    assert [message.approximate_receive_count for message in queue._messages] == [0, 0, 3, 0]
    journal.replay()  # of a snapshot that held it all already
    assert bodies(queue) == ["of the snapshot", "body 0", "body 2", "body 3"]


def test_eight_times_as_many_messages_take_about_eight_times_as_long(make):
    """A start after a kill replays up to 8 MB of them before it answers."""

    def processor_time_s(count: int) -> float:
        journal, queue = make(count)
        began = time.process_time()
        journal.replay()
        took = time.process_time() - began
        assert len(queue._messages) == count
        return took

    few, many = (min(processor_time_s(count) for _ in range(3)) for count in (1000, 8000))
    assert many < 25 * few  # 64 times, where each is looked for among all
