# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a source text leads to."""

from __future__ import annotations

import gzip

import pytest

from tunesmith._plugins import Provided
from tunesmith.data import cache
from tunesmith.data.rows import Origin, Row
from tunesmith.data.sources import find_sources, read_rows
from tunesmith.errors import DataError, NotFoundError
from tunesmith.plugin import DatasetSpec, ReaderSpec


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _names(sources) -> list[tuple[str, str]]:
    return [(source.name, source.reader) for source in sources]


def _error(sources, section, registry) -> str:
    with pytest.raises(DataError) as caught:
        find_sources(sources, section, registry)
    return str(caught.value)


class _Extended:
    """A registry with more in it than the built-ins."""

    def __init__(self, registry, kind, specs, objects):
        self._registry, self._kind, self._objects = registry, kind, objects
        self._more = tuple(Provided(spec, "extra", "extra-dist", "1.0") for spec in specs)

    def all(self, kind):
        return self._registry.all(kind) + (self._more if kind == self._kind else ())

    def find(self, kind, name):
        mine = [one for one in self._more if kind == self._kind and name in (one.spec.name, one.full_name)]
        return mine[0] if mine else self._registry.find(kind, name)

    def load(self, kind, name):
        found = self.find(kind, name)
        return self._objects[found.spec.name] if found in self._more else self._registry.load(kind, name)


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.csv", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.tsv", "tsv"),
        ("a.json", "json"),
        ("a.jsonl.gz", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.txt", "text"),
        ("t-images-idx3-ubyte", "idx"),
        ("t-images.idx3-ubyte.gz", "idx"),
    ],
)
def test_the_ending_chooses_the_reader(write, section, registry, name, reader):
    write(name, b"x")
    assert _names(find_sources([name], section(), registry)) == [(name, f"tunesmith/{reader}")]


def test_format_chooses_the_reader_by_name(write, section, registry):
    write("a.dat", "text\nhello\n")
    assert _names(find_sources(["a.dat"], section(format="csv"), registry)) == [("a.dat", "tunesmith/csv")]
    message = _error(["a.dat"], section(), registry)
    assert "a.dat: no reader for files with this ending" in message
    assert "data.format=NAME (to predict and evaluate: --format NAME), one of csv, tsv, json" in message
    with pytest.raises(NotFoundError, match="no reader of this name"):
        find_sources(["a.dat"], section(format="xls"), registry)


def test_a_missing_file_names_the_folder_and_near_misses(write, section, registry, tmp_path):
    write("data/train.csv", "x")
    message = _error(["data/trian.csv"], section(), registry)
    assert "data/trian.csv: no such file or folder" in message
    assert f"in the folder {tmp_path}" in message
    assert "did you mean train.csv?" in message
    message = _error(["dta/train.csv"], section(), registry)
    assert "did you mean data?" in message
    assert "the folder dta does not exist either" in message
    message = _error(["data/banking"], section(), registry)
    assert "if it is a data set on the hub, write hub:data/banking" in message


def test_several_files_and_globs_come_in_order(write, section, registry):
    for name in ("b.csv", "a.csv", "deep/c.csv", "z.jsonl"):
        write(name, "x")
    assert [name for name, _ in _names(find_sources(["z.jsonl", "*.csv"], section(), registry))] == [
        "z.jsonl",
        "a.csv",
        "b.csv",
    ]
    assert len(find_sources(["**/*.csv"], section(), registry)) == 3
    assert "no file matches" in _error(["*.tsv"], section(), registry)


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(write, section, registry):
    write("part[1].csv", "x")
    assert _names(find_sources(["part[1].csv"], section(), registry)) == [("part[1].csv", "tunesmith/csv")]


def test_folders(write, section, registry, tmp_path):
    write("data/b.csv", "x")
    write("data/a.csv", "x")
    assert [name for name, _ in _names(find_sources(["data"], section(), registry))] == ["data/a.csv", "data/b.csv"]
    write("data/notes.txt", "x")
    message = _error(["data"], section(), registry)
    assert "not a folder of images, nor of data files of one format" in message
    assert "given:    a.csv, b.csv, notes.txt" in message
    assert "data/*.csv" in message
    write("pets/cat/a.png", b"x")
    assert _names(find_sources(["pets"], section(), registry)) == [("pets", "tunesmith/images")]
    (tmp_path / "empty").mkdir()
    assert "an empty folder" in _error(["empty"], section(), registry)


def test_labels_of_idx_files_are_read_with_their_images(write, section, registry):
    for name in ("t-images-idx3-ubyte.gz", "t-labels-idx1-ubyte.gz"):
        write(f"mnist/{name}", gzip.compress(b"x"))
    for source in ("mnist", "mnist/*"):
        assert [name for name, _ in _names(find_sources([source], section(), registry))] == [
            "mnist/t-images-idx3-ubyte.gz"
        ]


def test_rows_of_several_sources(write, section, registry):
    write("a.csv", "text\nfirst\n")
    write("b.jsonl", '{"text": "second"}\n{"text": \n')
    items = list(read_rows(["./a.csv", "b.jsonl"], section(), registry))
    assert [str(item.origin) for item in items] == ["./a.csv:2", "b.jsonl:1", "b.jsonl:2"]
    assert "not JSON" in items[2].message


def test_readers_of_plugins_claim_endings_and_may_clash(write, section, registry):
    write("a.csv", "x")
    write("a.log.csv", "x")
    longer = ReaderSpec(name="log", summary="Logs", target="m:f", suffixes=(".log.csv",))
    same = ReaderSpec(name="mycsv", summary="CSV", target="m:f", suffixes=(".csv",))
    extended = _Extended(registry, "reader", [longer], {})
    assert _names(find_sources(["a.log.csv"], section(), extended)) == [("a.log.csv", "extra/log")]
    message = _error(["a.csv"], section(), _Extended(registry, "reader", [same], {}))
    assert "more than one reader claims this ending" in message
    assert "extra/mycsv or tunesmith/csv" in message


def test_a_reader_of_folders_is_handed_the_folder_when_it_is_asked_for(write, section, registry):
    write("news/sports/1.txt", "x")
    whole = ReaderSpec(name="news", summary="Articles", target="m:f", folders=True)
    extended = _Extended(registry, "reader", [whole], {})
    assert _names(find_sources(["news"], section(format="news"), extended)) == [("news", "extra/news")]
    assert "not a folder of images, nor of data files" in _error(["news"], section(), extended)
    assert "not a folder of images, nor of data files" in _error(["news"], section(format="csv"), registry)


def test_a_private_reader_has_the_process_keep_nothing(write, section, registry, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_keeps", True)
    with cache.making_entry("rows", "0a") as folder:
        cache.publish(folder, {})
    write("a.csv", "text\nfirst\n")
    write("a.secret", "x")
    private = ReaderSpec(name="secret", summary="Secret", target="m:f", suffixes=(".secret",), private=True)
    extended = _Extended(registry, "reader", [private], {})
    find_sources(["a.csv"], section(), extended)
    assert cache.find_entry("rows", "0a") is not None
    find_sources(["a.secret"], section(), extended)
    assert cache.find_entry("rows", "0a") is None
    with cache.making_entry("rows", "0b") as folder:
        assert folder is None
    assert cache.cache_folder("compiled") is not None  # code holds nothing of rows


def test_data_sets_of_plugins(section, registry):
    spec = DatasetSpec(name="films", summary="Reviews", target="m:f", license="CC0-1.0", splits=("train", "test"))

    def films(split):
        yield Row({"text": split}, Origin(f"dataset:films#{split}", 1))

    extended = _Extended(registry, "dataset", [spec], {"films": films})
    items = list(read_rows(["dataset:films#test", "dataset:extra/films#train"], section(), extended))
    assert [item.values["text"] for item in items] == ["test", "train"]
    assert "which split?" in _error(["dataset:films"], section(), extended)
    message = _error(["dataset:films#tset"], section(), extended)
    assert "no such split" in message
    assert "write dataset:films#test" in message
    with pytest.raises(NotFoundError, match="no dataset of this name"):
        find_sources(["dataset:flims#test"], section(), extended)


def test_a_part_of_a_json_file_is_a_source_and_named_in_every_row(write, section, registry):
    write("all.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}')
    sources = ["all.json#test"]
    assert _names(find_sources(sources, section(), registry)) == [("all.json#test", "tunesmith/json")]
    rows = list(read_rows(sources, section(), registry))
    assert [(row.values["text"], str(row.origin)) for row in rows] == [("b", "all.json#test:1")]


def test_a_file_whose_name_has_the_mark_is_that_file(write, section, registry):
    write("all.json#1.csv", "text\na\n")
    assert _names(find_sources(["all.json#1.csv"], section(), registry)) == [("all.json#1.csv", "tunesmith/csv")]


def test_a_part_of_a_file_that_has_none_is_refused(write, section, registry):
    write("a.csv", "text\na\n")
    text = _error(["a.csv#train"], section(), registry)
    assert "a file of this format has no parts" in text
    assert "#train, for the reader tunesmith/csv" in text
    assert "leave out #train" in text
