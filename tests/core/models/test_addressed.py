# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models that a plugin opens by an address: found as any others, and closed when they are in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tunesmith
from tunesmith.errors import ModelError, NotFoundError
from tunesmith.models import addressed, find_model_by_name
from tunesmith.models.addressed import close_source, is_addressed
from tunesmith.plugin import ModelSpec
from tunesmith.registry import Registry, get_registry
from tunesmith.testing import tiny_bert, tiny_llama


class Shelf:
    """A registry with a plugin that copies models from a shelf, and removes its copies."""

    spec = ModelSpec(name="shelf", summary="Ours", target="m:take", weights=True, addressed=True)

    def __init__(self, folder: Path) -> None:
        self._registry, self.folder, self.out = get_registry(), folder, folder / "out"
        self.provided = SimpleNamespace(spec=self.spec, full_name="ours/shelf", plugin="ours")

    def all(self, kind: str) -> tuple[Any, ...]:
        return (*self._registry.all(kind), *((self.provided,) if kind == "model" else ()))

    def find(self, kind: str, name: str) -> Any:
        mine = kind == "model" and name in ("shelf", "ours/shelf")
        return self.provided if mine else self._registry.find(kind, name)

    def load(self, kind: str, name: str) -> Any:
        return self.take if kind == "model" and name in ("shelf", "ours/shelf") else self._registry.load(kind, name)

    @contextmanager
    def take(self, address: str) -> Iterator[Path]:
        if not (self.folder / address).is_dir():
            raise ModelError(f"nothing of this name is on the shelf: {address}")
        copy = Path(shutil.copytree(self.folder / address, self.out / address))
        try:
            yield copy
        finally:
            shutil.rmtree(copy)

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir()) if self.out.is_dir() else []


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    return Shelf(tmp_path)


def test_a_model_by_address_answers_and_its_folder_is_given_back(shelf: Any) -> None:
    plain = tunesmith.load(tiny_llama(shelf.folder / "tiny")).generate("Hello", max_new_tokens=4, greedy=True)
    for name in ("shelf:tiny", "ours/shelf:tiny"):
        model = tunesmith.load(name, registry=shelf)
        assert shelf.left == []
        assert (model.name, model.path) == (name, None)
        assert model.generate("Hello", max_new_tokens=4, greedy=True) == plain


def test_it_stays_until_it_is_closed_or_the_process_ends(shelf: Any) -> None:
    tiny_bert(shelf.folder / "bert")
    source = find_model_by_name("shelf:bert", shelf)
    assert shelf.left == ["bert"]
    assert source.folder is not None
    held = dict(addressed._open)
    addressed._close(source.folder, -1)  # as at the end of a process that was forked off: it is its parent's
    assert shelf.left == ["bert"]
    addressed._open.update(held)
    assert close_source(source)
    assert shelf.left == []
    assert not close_source(source)


def test_a_run_by_address_stands_for_its_model(shelf: Any) -> None:
    run = shelf.folder / "run"
    tiny_bert(run / "model")
    (run / "run.json").write_text('{"status": "finished"}')
    source = find_model_by_name("shelf:run", shelf)
    assert source.folder == shelf.out / "run" / "model"
    assert close_source(source)


def test_the_model_under_an_adapter_may_have_an_address(shelf: Any) -> None:
    from tunesmith.models import apply_method, load_weights, save_model
    from tunesmith.recipe.schema import MethodSection

    tiny_llama(shelf.folder / "base")
    source = find_model_by_name("shelf:base", shelf)
    adapter = apply_method(load_weights(source, "causal-lm", registry=shelf), MethodSection(name="lora"))
    save_model(adapter, shelf.folder / "adapter")
    assert close_source(source)
    opened = find_model_by_name("shelf:adapter", shelf)
    assert opened.base is not None
    assert opened.base.name == "shelf:base"
    assert shelf.left == ["adapter", "base"]
    assert is_addressed(opened)
    assert is_addressed(replace(opened, folder=None))  # the model under it is
    assert close_source(opened)
    assert shelf.left == []
    assert not is_addressed(opened)


def test_what_the_plugin_says_is_what_people_read(shelf: Any) -> None:
    with pytest.raises(ModelError, match="nothing of this name is on the shelf: none"):
        find_model_by_name("shelf:none", shelf)


def test_an_address_is_needed_and_listed(shelf: Any) -> None:
    with pytest.raises(ModelError, match="ours/shelf needs an address") as caught:
        find_model_by_name("ours/shelf", shelf)
    assert caught.value.expected == "ours/shelf:ADDRESS"
    with pytest.raises(ModelError) as caught:
        find_model_by_name("no-such-thing", shelf)
    assert "ours/shelf:ADDRESS" in str(caught.value.expected)


def test_other_names_with_a_colon_are_what_they_were(shelf: Any) -> None:
    registry: Registry = shelf
    for name in ("other:thing", "tiny:x"):
        with pytest.raises(ModelError, match="there is no model"):
            find_model_by_name(name, registry)
    with pytest.raises(NotFoundError):
        find_model_by_name("scratch:shelf-of-mine", registry)
