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
