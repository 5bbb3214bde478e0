"""Messages that were sent, received or deleted since the last snapshot of SQS, replayed at the next start."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from helpers.offline import pickling
from helpers.offline.journals import Journal
from helpers.offline.services.sqs import fifo

log = logging.getLogger("offline.sqs")


class MessageJournal:
    """A message is in the journal before who sent it, or deleted it, is told so."""

    def __init__(self, directory: Path, account_id: str, grown: Callable[[], None]) -> None:
        self.account_id = account_id
        self.journal = Journal(directory, "messages", grown)

    def attach(self) -> None:
        """Has moto's queues note what happens to their messages."""
        add, delete, receive = Queue.add_message, Queue.delete_message, SQSBackend.receive_message
        change = SQSBackend.change_message_visibility
        note = self._note

        def add_message(queue: Queue, message: Message) -> None:
            with queue._messages_lock:
                add(queue, message)
                if not any(one is message for one in reversed(queue._messages)):
                    return  # FIFO queues drop what they have had
                try:
                    note("sent", queue, message.id, message.__dict__)
                except OSError:
                    queue._messages.remove(message)
                    raise

        def delete_message(queue: Queue, receipt_handle: str) -> None:
            with queue._messages_lock:
                gone = [message for message in queue._messages if message.had_receipt_handle(receipt_handle)]
                delete(queue, receipt_handle)
                for message in gone:
                    note("deleted", queue, message.id, {"receipts": list(message.all_receipt_handles)})

        def receive_message(backend: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> list[Message]:
            found = receive(backend, queue_name, *arguments, **named)
            if found:
                queue = backend.get_queue(queue_name)
                for message in found:
                    fields = ("receipt_handle", "_old_receipt_handles", "approximate_receive_count", "visible_at")
                    note("received", queue, message.id, {name: getattr(message, name) for name in fields})
            return found

        def change_message_visibility(
            backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
        ) -> None:
            change(backend, queue_name, receipt_handle, visibility_timeout)
            queue = backend.get_queue(queue_name)
            for message in [one for one in queue._messages if one.had_receipt_handle(receipt_handle)]:
                note("received", queue, message.id, {"visible_at": message.visible_at})

        Queue.add_message = add_message
        Queue.delete_message = delete_message
        SQSBackend.receive_message = receive_message
        SQSBackend.change_message_visibility = change_message_visibility

    def replay(self) -> None:
        """Brings the queues to where they were. A queue's messages are looked up by id: they may be many."""
        held: dict[tuple[str, str], dict[str, Message]] = {}
        for data in self.journal.records():
            try:
                self._apply(held, *pickling.load(data))
            except Exception:
                log.exception("a record of SQS's journal cannot be used")
        for (region, name), messages in held.items():
            queue = sqs_backends[self.account_id][region].queues[name]
            queue._messages[:] = messages.values()
            # Their groups wait in FIFO queues.
            queue._pending_messages = {
                one for one in queue._messages if one.approximate_receive_count and not one.visible
            }

    def _note(self, kind: str, queue: Queue, identity: str, fields: dict[str, Any] | None = None) -> None:
        self.journal.append(pickle.dumps((kind, queue.region, queue.name, identity, fields)))

    def _apply(
        self,
        held: dict[tuple[str, str], dict[str, Message]],
        kind: str,
        region: str,
        queue_name: str,
        identity: str,
        fields: dict[str, Any] | None,
    ) -> None:
        """`held`: region and name of a queue -> its messages by their ids, in order."""
        queue = sqs_backends[self.account_id][region].queues.get(queue_name)
        if queue is None:
            return
        place = region, queue_name
        if place not in held:
            held[place] = {message.id: message for message in queue._messages}
        known = held[place].get(identity)
        if kind == "deleted":
            held[place].pop(identity, None)
            queue.deleted_messages.update((fields or {}).get("receipts", ()))
        elif known is not None:
            known.__dict__.update(fields or {})
        elif kind == "sent":
            message = Message(identity, "")
            message.__dict__.update(fields or {})
            held[place][identity] = message
            fifo.remember(queue, message)
            for source in sqs_backends[self.account_id][region].queues.values():
                if source.dead_letter_queue is queue:  # it was moved there
                    held.get((region, source.name), {}).pop(identity, None)
                    source._messages[:] = [one for one in source._messages if one.id != identity]
