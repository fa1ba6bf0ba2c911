# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Folders of sentence-transformers, of its old form and its new one."""

from __future__ import annotations

import json

import pytest

from tunesmith.errors import ModelError
from tunesmith.tasks.pooling import Pooling, read_pooling, sentence_transformers_files


def folder(place, pooling, kinds=("Transformer", "Pooling", "Normalize"), **files):
    modules = [
        {"idx": i, "path": "" if i == 0 else f"{i}_{kind}", "type": f"x.y.{kind}"} for i, kind in enumerate(kinds)
    ]
    for name, content in {"modules.json": modules, "1_Pooling/config.json": pooling, **files}.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(json.dumps(content))
    return place


OLD = {"word_embedding_dimension": 8, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        (OLD, "mean"),
        ({**OLD, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"embedding_dimension": 8, "pooling_mode": "cls"}, "cls"),
    ],
)
def test_both_forms_are_read(tmp_path, config, mode):
    assert read_pooling(folder(tmp_path, config)) == Pooling(mode)


def test_the_longest_input_and_prompts_are_read(tmp_path):
    more = {
        "sentence_bert_config.json": {"max_seq_length": 256},
        "config_sentence_transformers.json": {"prompts": {"query": "search: ", "document": ""}},
    }
    assert read_pooling(folder(tmp_path, OLD, ("Transformer", "Pooling"), **more)) == Pooling("mean", 256, ("query",))


def test_no_such_files_is_no_answer(tmp_path):
    assert read_pooling(tmp_path) is None


@pytest.mark.parametrize(
    ("config", "kinds", "words"),
    [
        (OLD, ("Transformer", "Pooling", "Dense"), "Transformer, Pooling, Dense"),
        ({**OLD, "pooling_mode_cls_token": True}, ("Transformer", "Pooling"), "mean_tokens|cls_token"),
        ({"pooling_mode_max_tokens": True}, ("Transformer", "Pooling"), "max_tokens"),
        ({}, ("Transformer", "Pooling"), "not named"),
        ([], ("Transformer", "Pooling"), "an object"),
    ],
)
def test_what_is_not_known_is_an_error_with_words(tmp_path, config, kinds, words):
    with pytest.raises(ModelError, match=rf"makes vectors is not known here[\s\S]*({words})[\s\S]*remove modules.json"):
        read_pooling(folder(tmp_path, config, kinds))


def test_a_damaged_file_is_the_models_error(tmp_path):
    (tmp_path / "modules.json").write_text("[{")
    with pytest.raises(ModelError, match=r"modules.json"):
        read_pooling(tmp_path)


@pytest.mark.parametrize("mode", ["mean", "cls", "last"])
def test_what_is_written_is_read_back(tmp_path, mode):
    for name, content in sentence_transformers_files(mode, width=8, max_length=77).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_pooling(tmp_path) == Pooling(mode, 77)
