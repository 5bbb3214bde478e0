"""Files of records: a torn end is dropped, damage elsewhere takes only what it hit, and the file is set aside."""

from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.offline.journals import Journal
from helpers.offline.records import Records, read

RECORDS = st.lists(st.binary(min_size=1, max_size=300), min_size=2, max_size=12, unique=True)


def written(folder, records):
    """The file, and where each record ends in it."""
    file = Records(folder / "state" / "kept")
    ends = [file.append(record) for record in records]
    file.close()
    return file.path, ends


def set_aside(folder):
    return [path.read_bytes() for path in sorted(folder.glob("set-aside/*/*"))]


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.data())
def test_a_file_cut_anywhere_gives_the_records_before_the_cut_and_takes_more(tmp_path_factory, records, data):
    folder = tmp_path_factory.mktemp("cut")
    path, ends = written(folder, records)
    at = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:at])
    left = [record for record, end in zip(records, ends, strict=True) if end <= at]
    assert list(read(path, folder)) == left
    again = Records(path)
    again.append(b"after the cut")
    again.close()
    assert list(read(path, folder)) == [*left, b"after the cut"]
    assert set_aside(folder) == []  # nothing that was acknowledged is missing


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.data())
def test_damage_in_the_middle_takes_only_the_records_that_it_hits(tmp_path_factory, records, data):
    folder = tmp_path_factory.mktemp("damage")
    path, ends = written(folder, records)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, ends[-2] - 1))
    until = data.draw(st.integers(at + 1, ends[-2]))
    damaged = whole[:at] + bytes(byte ^ data.draw(st.integers(1, 255)) for byte in whole[at:until]) + whole[until:]
    path.write_bytes(damaged)
    starts = [0, *ends[:-1]]
    spared = [one for one, start, end in zip(records, starts, ends, strict=True) if end <= at or start >= until]
    told = []
    assert list(read(path, folder, lambda: told.append(True))) == spared
    assert (told, set_aside(folder)) == ([True], [damaged])


def test_zeros_at_the_end_as_a_power_failure_leaves_them_are_no_records(tmp_path):
    path, _ = written(tmp_path, [b"one", b"two"])
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert list(read(path, tmp_path)) == [b"one", b"two"]
    assert set_aside(tmp_path) == []


def test_a_journal_goes_on_in_a_new_file_behind_a_damaged_one(tmp_path):
    first = Journal(tmp_path / "state", "things", lambda: None)
    for number in range(3):
        first.append(b"record %d" % number)
    (_, path), *_ = first.files()
    data = bytearray(path.read_bytes())
    data[20] ^= 1  # in the second record
    path.write_bytes(data)
    second = Journal(tmp_path / "state", "things", lambda: None)
    second.append(b"record 3")
    assert list(Journal(tmp_path / "state", "things", lambda: None).records()) == [
        b"record 0",
        b"record 2",
        b"record 3",
    ]
    assert set_aside(tmp_path) == [bytes(data)]
    second.begin_next()()
    assert list(second.records()) == []
    assert set_aside(tmp_path) == [bytes(data)]
