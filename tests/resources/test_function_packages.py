"""The zip archive of a function is the same bytes for the same code, and holds what Lambda needs."""

import io
import zipfile

from helpers.resources import functions


def test_equal_code_gives_equal_bytes():
    assert functions.zip_of("sample_collection") == functions.zip_of("sample_collection")


def test_the_archive_holds_the_one_file_readable_for_everybody():
    archive = zipfile.ZipFile(io.BytesIO(functions.zip_of("live_inference")))
    (entry,) = archive.infolist()
    assert entry.filename == "live_inference.py"
    assert entry.external_attr >> 16 == 0o644
    assert archive.read(entry).decode() == functions.source("live_inference")
