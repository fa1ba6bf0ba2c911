# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import inspect
import typing

import pytest

from tunesmith._plugins import Host
from tunesmith._plugins.kinds import AUTHORIZE, HOOKS, KINDS, OBSERVE, PROVIDE
from tunesmith.plugin import Hooks, events, gates, hooks, serving_specs, specs
from tunesmith.registry import Registry

BUILTINS = {
    "task": [
        "text-classification",
        "token-classification",
        "question-answering",
        "causal-lm",
        "chat",
        "preference",
        "reward",
        "embedding",
        "image-classification",
        "tabular-classification",
        "tabular-regression",
        "seq2seq",
    ],
    "reader": ["csv", "tsv", "json", "jsonl", "parquet", "text", "conll", "squad", "idx", "images"],
    "dataset": ["support"],
    "model": ["tiny", "llama", "gpt2", "bert", "t5", "cnn", "mlp", "tabular-mlp"],
    "strategy": ["single"],
    "engine": ["openai"],
    "acceleration": [],
    "augmentation": [
        "flip",
        "shift",
        "rotate",
        "brightness",
        "contrast",
        "erase",
        "drop-words",
        "swap-words",
        "typos",
    ],
    "metric": ["exact_match", "bleu", "chrf", "rouge1", "rouge2", "rougeL", "number_match"],
    "exporter": ["merged", "adapter", "gguf", "onnx"],
    "objective": ["cross-entropy", "focal", "contrastive", "dpo", "ipo", "orpo", "kto"],
    "transform": [],
    "tracker": [],
    "report_section": [],
    "recipe_section": [],
    "route": [],
    "access": [],
    "scheduler": [],
    "command": [],
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(Host([], environ={}))


def test_the_built_ins_are_these(registry: Registry) -> None:
    assert {kind: [one.spec.name for one in registry.all(kind)] for kind in KINDS} == BUILTINS


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in BUILTINS.items() for name in names])
def test_every_built_in_target_is_there(registry: Registry, kind: str, name: str) -> None:
    assert callable(registry.load(kind, f"tunesmith/{name}"))


def test_no_two_built_in_readers_claim_a_suffix(registry: Registry) -> None:
    suffixes = [
        suffix for one in registry.all("reader") for suffix in typing.cast("specs.ReaderSpec", one.spec).suffixes
    ]

    assert sorted(suffixes) == sorted(set(suffixes))
    rows = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".text", ".md"}
    tagged = {".conll", ".iob", ".iob2", ".bio"}
    pictures = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
    assert rows | tagged | pictures == set(suffixes)


def test_the_task_of_a_built_in_dataset_is_a_task(registry: Registry) -> None:
    for one in registry.all("dataset"):
        task = typing.cast("specs.DatasetSpec", one.spec).task
        assert task is None or registry.find("task", task)


def test_every_hook_has_a_kind_and_the_types_agree() -> None:
    functions = {name: function for name, function in vars(Hooks).items() if name.startswith("tunesmith_")}
    names = {**vars(hooks), **vars(events), **vars(specs), **vars(gates)}

    assert set(functions) == HOOKS
    for name, spec in PROVIDE.items():
        hints = typing.get_type_hints(functions[name], names)
        assert typing.get_args(hints["return"]) == (spec,)
        assert list(inspect.signature(functions[name]).parameters) == ["self"]
    for event, name in OBSERVE.items():
        assert typing.get_type_hints(functions[name], names) == {"event": event, "return": type(None)}
    asked = typing.get_type_hints(functions[AUTHORIZE], names)
    assert asked == {"action": gates.Action, "return": gates.Allow | gates.Deny | None}


def test_every_event_has_a_hook_and_every_spec_a_kind_of_its_own() -> None:
    assert set(OBSERVE) == {getattr(events, name) for name in events.__all__} - {events.Event, events.RunEvent}
    described = {getattr(module, name) for module in (specs, serving_specs) for name in module.__all__}
    assert set(PROVIDE.values()) == described - {specs.Spec}
    assert len(set(KINDS)) == len(PROVIDE)
