"""The contract of XGBoost's channels, content types and files, row by row (container: data_utils.py)."""

import io
import json
import struct
from contextlib import suppress

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import random as random_sparse

from helpers.offline.services.sagemaker.algorithms import xgboost_data
from helpers.offline.services.sagemaker.algorithms.errors import UserError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory
from helpers.offline.services.sagemaker.algorithms.recordio import read_file
from tests.offline.sagemaker.record_message import record_class

ACCEPTED = {
    "csv": ("csv", "text/csv"),
    "libsvm": ("libsvm", "text/libsvm", "text/x-libsvm"),
    "parquet": ("parquet", "application/x-parquet"),
    "recordio-protobuf": ("recordio-protobuf", "application/x-recordio-protobuf"),
}


@pytest.fixture
def directory(tmp_path):
    """`directory(files, content_type, channel)` lays a channel out and returns the job's directory."""

    def lay_out(files, content_type="text/csv", channel="train", **configuration):
        config = tmp_path / "input" / "config"
        config.mkdir(parents=True, exist_ok=True)
        document = config / "inputdataconfig.json"
        known = json.loads(document.read_text()) if document.exists() else {}
        known[channel] = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"} | configuration
        known[channel] |= {"ContentType": content_type} if content_type else {}
        document.write_text(json.dumps(known))
        (tmp_path / "input" / "data" / channel).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = tmp_path / "input" / "data" / channel / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return JobDirectory(tmp_path)

    return lay_out


def matrix(job, *channels, csv_weights=False):
    return xgboost_data.matrix(job, channels or ("train",), csv_weights=csv_weights, threads=1)


def table(found) -> list[list[float | None]]:
    """Label, then features; None where a feature is missing."""
    dense = np.full((found.num_row(), found.num_col()), np.nan)
    data = found.get_data().tocoo()
    dense[data.row, data.col] = data.data
    return [
        [float(label), *(None if np.isnan(cell) else float(cell) for cell in row)]
        for label, row in zip(found.get_label(), dense, strict=True)
    ]


# --- Channels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [one for group in ACCEPTED.values() for one in group])
def test_a_content_type_on_the_list_is_accepted(directory, content_type):
    xgboost_data.check_channels(directory({}, content_type))


@pytest.mark.parametrize("content_type", ["text/csv;label_size=1", "text/csv; charset=utf8", "TEXT/CSV", "json"])
def test_any_other_content_type_is_refused_with_the_whole_configuration(directory, content_type):
    job = directory({}, content_type)
    with pytest.raises(UserError) as error:
        xgboost_data.check_channels(job)
    assert str(error.value) == f"Channel configuration for 'train' channel is not supported: {job.channels['train']}"


def test_train_is_required_validation_optional_code_allowed_and_others_extraneous(directory):
    job = directory({}, channel="validation")
    with pytest.raises(UserError, match=r"^Missing required channel: train$"):
        xgboost_data.check_channels(job)
    directory({})
    xgboost_data.check_channels(directory({}, None, "code"))
    with pytest.raises(UserError, match=r"^Extraneous channel found: test$"):
        xgboost_data.check_channels(directory({}, channel="test"))


def test_a_channel_named_training_is_not_train(directory):
    """What the SDK's tuner makes of inputs that are one string."""
    with pytest.raises(UserError, match=r"^Missing required channel: train$"):
        xgboost_data.check_channels(directory({}, channel="training"))


def test_pipe_mode_is_gone(directory):
    with pytest.raises(UserError, match=r"^Pipe mode for CSV is no longer supported\. Please use Fast File mode"):
        xgboost_data.check_channels(directory({}, TrainingInputMode="Pipe"))


def test_without_a_content_type_csv_is_no_libsvm(directory):
    line = "5,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22\n"
    with pytest.raises(UserError) as error:
        matrix(directory({"a.csv": line}, None))
    assert str(error.value) == (
        f"First line '{line[:50]}...' of file 'a.csv' is not 'LIBSVM' format. "
        "Please ensure the file is in 'LIBSVM' format."
    )


@pytest.mark.parametrize("files", [{}, {"empty.csv": ""}], ids=["no file", "an empty file"])
def test_a_channel_without_data_is_none(directory, files):
    assert matrix(directory(files)) is None


def test_a_hidden_file_is_refused(directory):
    with pytest.raises(UserError, match=r"^Hidden file found in the data path! Remove that before training\.$"):
        matrix(directory({"a.csv": "1,2\n", ".DS_Store": "x"}))


def test_files_are_read_to_a_depth_of_three_folders(directory, capsys):
    job = directory({"a.csv": "1,1\n", "b/a.csv": "2,1\n", "b/c/a.csv": "3,1\n", "b/c/d/a.csv": "4,1\n"})
    assert sorted(row[0] for row in table(matrix(job))) == [1, 2, 3]
    assert "exceed the limit 3" in capsys.readouterr().out


def test_the_same_file_in_both_channels_is_warned_of(directory, capsys):
    directory({"a.csv": "1,2\n"}, channel="validation")
    xgboost_data.warn_of_duplicates(directory({"a.csv": "3,4\n"}))
    assert "Suspected identical files found." in capsys.readouterr().out


# --- CSV --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("y,a,b\n1,2,3\n", [[0, None, None], [1, 2, 3]], id="a header row is a row: label 0, all missing"),
        *(
            pytest.param(f"1,2,3\n1,{cell},3\n", [[1, 2, 3], [1, None, 3]], id=f"{cell or 'empty'} is missing")
            for cell in ("red", "True", "", "nan", '"7"')
        ),
        pytest.param("1,2\n,3\n", [[1, 2], [0, 3]], id="an empty label is 0"),
        pytest.param("1,2\nred,3\n", [[1, 2], [0, 3]], id="a label of text is 0"),
        pytest.param("1,12%,2024-01-01\n", [[1, 12, 2024]], id="the number at the beginning counts"),
        pytest.param("1,2,3\n4,5\n6,7,8\n", [[1, 2, 3], [4, 5, None], [6, 7, 8]], id="short rows are padded"),
        pytest.param("1 2 3\n4 5 6\n", [[1, 2, 3], [4, 5, 6]], id="blank as delimiter"),
        pytest.param("1;2;3\n4;5;6\n", [[1, 2, 3], [4, 5, 6]], id="semicolon as delimiter"),
        pytest.param("1\t2\t3\n4\t5\t6\n", [[1, 2, 3], [4, 5, 6]], id="tab as delimiter"),
    ],
)
def test_csv_is_read_as_it_is(directory, text, rows):
    assert table(matrix(directory({"a.csv": text}))) == rows


def test_files_may_differ_in_their_columns(directory):
    found = table(matrix(directory({"a.csv": "1,2\n", "b.csv": "3,4,5\n"})))
    assert sorted(found, key=lambda row: row[0]) == [[1, 2, None], [3, 4, 5]]


def test_the_delimiter_is_told(directory, capsys):
    matrix(directory({"a.csv": "1;2;3\n"}))
    assert "Determined delimiter of CSV input is ';'" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["5\n", "12345\n", "1.5\n", "12\n3\n"])
def test_one_column_has_no_delimiter(directory, text):
    with pytest.raises(UserError, match=r"Delimiter '.' is not found|Could not determine delimiter on line"):
        matrix(directory({"a.csv": text}))


def test_csv_weights_are_the_second_column(directory):
    found = matrix(directory({"a.csv": "1,0.5,7\n2,0.25,8\n"}), csv_weights=True)
    assert found.get_weight().tolist() == [0.5, 0.25] and table(found) == [[1, 7], [2, 8]]


def test_channels_can_be_read_together(directory):
    directory({"a.csv": "3,4\n"}, channel="validation")
    assert sorted(table(matrix(directory({"a.csv": "1,2\n"}), "train", "validation"))) == [[1, 2], [3, 4]]


# --- The other formats ------------------------------------------------------------------------------------------------


def test_libsvm_with_weights(directory):
    found = matrix(directory({"a.libsvm": "1:0.5 0:7 2:9\n0:2 1:8\n"}, "text/libsvm"))
    assert table(found) == [[1, 7, None, 9], [0, None, 8, None]] and found.get_weight().tolist() == [0.5, 2]


@pytest.mark.parametrize("line", ["y a b\n", "1 2 3\n", "1:2:3 1:2\n", "1 1:2:3\n"])
def test_other_text_is_no_libsvm(directory, line):
    with pytest.raises(UserError, match="is not 'LIBSVM' format"):
        matrix(directory({"a": line}, "libsvm"))


def test_parquet_has_the_label_first(directory):
    content = parquet(y=[1.5, 2.5], a=pyarrow.array([1, 2], pyarrow.int32()), b=[0.5, None])
    assert table(matrix(directory({"a.parquet": content}, "parquet"))) == [[1.5, 1, 0.5], [2.5, 2, None]]


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"1,2\n", parquet(y=[1.0], a=["red"])], ids=["CSV", "text in a column"])
def test_what_is_no_parquet_of_numbers_fails(directory, content):
    with pytest.raises(UserError, match=r"^Failed to load parquet data with exception:\n"):
        matrix(directory({"a.parquet": content}, "parquet"))


def recordio(rows, kind="float32_tensor", columns=None) -> bytes:
    """`rows`: label and values; or label, keys and values."""
    record_type, content = record_class(), b""
    for label, *keys, values in rows:
        record = record_type(uid="row")
        getattr(record.label["values"], kind).values.append(label)
        tensor = getattr(record.features["values"], kind)
        tensor.values.extend(values)
        if keys:
            tensor.keys.extend(keys[0])
            tensor.shape.append(columns)
        data = record.SerializeToString()
        content += struct.pack("<II", 0xCED7230A, len(data)) + data + b"\0" * (-len(data) % 4)
    return content


@pytest.mark.parametrize("kind", ["float32_tensor", "float64_tensor", "int32_tensor"])
def test_recordio_of_dense_records(directory, kind):
    rows = [(1, [2, -3, 4]), (0, [5, 6, 7])]
    found = matrix(directory({"a": recordio(rows, kind)}, "application/x-recordio-protobuf"))
    assert table(found) == [[1, 2, -3, 4], [0, 5, 6, 7]]


def test_recordio_of_sparse_records(directory):
    sparse = random_sparse(40, 9, 0.3, format="csr", random_state=1)
    rows = [
        (position, sparse[position].indices.tolist(), sparse[position].data.tolist())
        for position in range(sparse.shape[0])
    ]
    found = matrix(directory({"a": recordio(rows, columns=9)}, "recordio-protobuf"))
    assert found.num_col() == 9 and found.get_label().tolist() == list(range(40))
    assert found.get_data().toarray() == pytest.approx(sparse.toarray(), abs=1e-6)


def test_sparse_records_as_a_table_have_the_label_first_and_zeros(tmp_path):
    (tmp_path / "a").write_bytes(recordio([(7, [2], [5.0]), (8, [], [])], columns=4))
    assert read_file(tmp_path / "a").tolist() == [[7, 0, 0, 5, 0], [8, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "content",
    [b"1,2,3\n", recordio([(1, [2.0, 3.0])])[:-8], recordio([(1, [2.0]), (1, [2.0, 3.0])])],
    ids=["text", "cut off", "records of different lengths"],
)
def test_what_is_no_recordio_fails(directory, content):
    with pytest.raises(UserError, match=r"^Failed to load recordio-protobuf data with exception:\n"):
        matrix(directory({"a": content}, "recordio-protobuf"))


@given(st.binary(max_size=60), st.integers(0, 60))
def test_broken_records_are_a_value_error_and_nothing_else(tmp_path_factory, noise, place):
    whole = recordio([(1, [2.0, 3.0]), (0, [4.0, 5.0])])
    path = tmp_path_factory.getbasetemp() / "broken.recordio"
    path.write_bytes(whole[:place] + noise + whole[place + len(noise) :])
    with suppress(ValueError):
        read_file(path)


def test_the_same_rows_make_the_same_model_in_every_format(directory, tmp_path):
    random = np.random.default_rng(0)
    rows = np.column_stack([random.uniform(0, 1, 50), random.uniform(0, 1, (50, 3))]).astype("float32")
    files = {
        "text/csv": "\n".join(",".join(repr(float(cell)) for cell in row) for row in rows),
        "text/libsvm": "\n".join(
            " ".join([repr(float(row[0])), *(f"{i}:{float(cell)!r}" for i, cell in enumerate(row[1:]))]) for row in rows
        ),
        "parquet": parquet(**{f"c{i}": rows[:, i] for i in range(4)}),
        "recordio-protobuf": recordio([(float(row[0]), row[1:].tolist()) for row in rows]),
    }
    models = set()
    for number, (content_type, content) in enumerate(files.items()):
        for old in (tmp_path / "input" / "data" / "train").glob("*"):
            old.unlink()
        for old in (tmp_path / "temporary").rglob("*"):
            old.is_symlink() and old.unlink()
        found = matrix(directory({f"part-{number}": content}, content_type))
        models.add(xgboost.train({"seed": 1, "nthread": 1}, found, 5).get_dump()[0])
    assert len(models) == 1
