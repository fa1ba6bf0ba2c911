# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Real files, where they lie beside the checkout."""

from __future__ import annotations

import numpy as np
import pytest

from tunesmith.data import CONVERSATION_COLUMNS, Column, Problem, conversation, map_columns, read_rows, shape
from tunesmith.errors import DataError


def _rows(shared, registry, section, *names, **options):
    paths = [shared / "data" / name for name in names]
    if any(not path.exists() and "*" not in path.name for path in paths):
        pytest.skip(f"needs {', '.join(names)} in ../shared/data")
    items = list(read_rows([str(path) for path in paths], section(**options), registry))
    assert not [item for item in items if isinstance(item, Problem)]
    return items


def test_banking77(shared, registry, section):
    rows = _rows(shared, registry, section, "banking77/train.csv")
    assert len(rows) == 10_003
    assert len({row.values["category"] for row in rows}) == 77
    lines = (shared / "data/banking77/train.csv").read_text(encoding="utf-8").split("\n")
    for row in rows[::500]:
        assert lines[row.origin.line - 1].strip('"').startswith(row.values["text"].split("\n")[0][:10].strip('"'))


@pytest.mark.parametrize(("name", "count"), [("train10k", 10_000), ("t10k", 10_000)])
def test_mnist(shared, registry, section, name, count):
    rows = _rows(shared, registry, section, f"mnist/{name}-images-idx3-ubyte.gz")
    assert len(rows) == count
    assert {row.values["label"] for row in rows} == set("0123456789")
    assert rows[0].values["image"].shape == (28, 28)
    assert rows[0].values["image"].dtype == np.uint8


def test_conversations_of_real_sets(shared, registry, section):
    for name, kind in (
        ("chat_formats/glaive_toolcall_en_demo.json", "sharegpt"),
        ("chat_formats/identity.json", "alpaca"),
        ("self_instruct/sft.jsonl", "alpaca"),
    ):
        rows = _rows(shared, registry, section, name)
        assert {shape(row.values) for row in rows} == {kind}
        for row in rows:
            assert conversation(row.values)[-1].role == "assistant"


def test_gsm8k_by_mapping(shared, registry, section):
    rows = _rows(shared, registry, section, "gsm8k/test.jsonl")
    mapped = map_columns(rows[0], CONVERSATION_COLUMNS, {"prompt": "question", "completion": "answer"})
    assert conversation(mapped.values)[1].content.endswith("#### 18")


def test_text(shared, registry, section):
    rows = _rows(shared, registry, section, "tinyshakespeare/input.txt")
    assert [len(row.values["text"]) for row in rows] == [1_115_394]
    speeches = _rows(shared, registry, section, "tinyshakespeare/input.txt", text_unit="paragraph")
    assert len(speeches) == 7_222
    assert len(_rows(shared, registry, section, "names_makemore/names.txt", text_unit="line")) == 32_033


def test_a_tsv_without_header_is_explained(shared, registry, section):
    rows = _rows(shared, registry, section, "sms_spam/sms.tsv")
    columns = (Column(name="text", summary="a text"), Column(name="label", summary="its class", target=True))
    with pytest.raises(DataError, match="the first line of a CSV or TSV file must name the columns"):
        map_columns(rows[0], columns, {})


def test_files_that_do_not_name_their_columns(shared, registry, section):
    rows = _rows(shared, registry, section, "sms_spam/sms.tsv", column_names=["label", "text"])
    assert len(rows) == 5_574
    assert {row.values["label"] for row in rows} == {"ham", "spam"}
    names = ["sepal length", "sepal width", "petal length", "petal width", "species"]
    rows = _rows(shared, registry, section, "iris_wine/iris.csv", column_names=names)
    assert len(rows) == 150
    assert rows[0].values == dict(zip(names, ["5.1", "3.5", "1.4", "0.2", "Iris-setosa"], strict=True))


def test_clinc150_part_by_part(shared, registry, section):
    file = shared / "data/clinc150/data_full.json"
    if not file.exists():
        pytest.skip("needs clinc150/data_full.json in ../shared/data")
    sources = [f"{file}#oos_val", f"{file}#oos_test"]
    rows = list(read_rows(sources, section(column_names=["text", "label"]), registry))
    assert len(rows) == 1_100
    assert {row.values["label"] for row in rows} == {"oos"}
