"""A batch ends with the record that fills it, however records come in."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from helpers.offline.services.firehose.buffer import Buffer
from helpers.offline.services.firehose.journal import Journal
from helpers.offline.services.firehose.quota import of_region

RECORD = st.binary(min_size=1, max_size=40)


@given(st.lists(st.lists(RECORD, min_size=1, max_size=8), max_size=8), st.integers(1, 100))
def test_order_is_kept_and_every_batch_ends_with_the_record_that_fills_it(tmp_path_factory, calls, limit):
    journal = Journal(tmp_path_factory.mktemp("firehose"), "us-east-1", "stream")
    buffer = Buffer(journal, of_region("us-east-1"))
    for records in calls:
        buffer.add(records, limit)
    buffer.cut()
    batches = [batch.records for batch in buffer.waiting]
    assert list(itertools.chain(*batches)) == list(itertools.chain(*calls))
    for batch in batches:
        assert sum(map(len, batch[:-1])) < limit
    assert all(sum(map(len, batch)) >= limit for batch in batches[:-1])
    # What is on disk is what is in memory.
    assert [batch.body() for batch in buffer.waiting] == [b"".join(batch) for batch in batches]
