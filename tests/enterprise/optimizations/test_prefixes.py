# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Beginnings of prompts over restarts: found again, never another's, never damaged, never more than allowed."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from licensed import Machine
from safetensors.torch import load_file, save_file

from tunesmith.engine import Sampling
from tunesmith.engine.acceleration import Beginning, Opening
from tunesmith.engine.low_rank import Adapter, LowRank
from tunesmith.errors import ModelError, SettingsError
from tunesmith.testing import tiny_llama
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.optimizations.chaining.chained import Chained
from tunesmith_enterprise.optimizations.prefixes.files import Folder
from tunesmith_enterprise.optimizations.prefixes.identity import identity
from tunesmith_enterprise.optimizations.prefixes.keeping import LEAST, Keeping

SHARED = tuple((7 * n + 3) % 90 for n in range(80))
DRAWN = Sampling(seed=4, temperature=1.4)


@pytest.fixture
def store(machine: Machine, opened: Any, tmp_path: Path) -> Any:
    """Opens an engine with a store in ``tmp_path/kept``."""
    return lambda **more: opened(f"enterprise/prefix-store:{tmp_path / 'kept'}", **more)


def answer(engine: Any, request: Any) -> Any:
    return engine.submit(request).result(60)


def fill(engine: Any, ask: Any, salt: str = "") -> None:
    """Two prompts that begin alike, and the end of the engine."""
    for own in (1, 2):
        answer(engine, ask((*SHARED, own), 2, cache_salt=salt))
    engine.close()


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "kept").glob("*/*.safetensors"))


def test_a_restarted_engine_reads_what_two_prompts_shared(store: Any, opened: Any, ask: Any, tmp_path: Path) -> None:
    fill(store(), ask, "ana")
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    request = ask((*SHARED, 3, 4), sampling=DRAWN, logprobs=2, cache_salt="ana")
    found = answer(store(), request)
    assert found.usage.cached_tokens == len(SHARED)
    assert found.choices == answer(opened(), request).choices


def test_nobody_elses_salt_and_no_other_model_finds_it(store: Any, ask: Any, tmp_path: Path) -> None:
    fill(store(), ask, "ana")
    engine = store()
    for salt in ("bo", ""):
        assert answer(engine, ask((*SHARED, 3), 2, cache_salt=salt)).usage.cached_tokens == 0
    other = store(model=tiny_llama(tmp_path / "other", seed=1))
    assert answer(other, ask((*SHARED, 3), 2, cache_salt="ana")).usage.cached_tokens == 0
    eight_bits = store(weights="int8")
    assert answer(eight_bits, ask((*SHARED, 3), 2, cache_salt="ana")).usage.cached_tokens == 0


@pytest.mark.parametrize("harm", ["flipped", "cut", "foreign", "nonsense"])
def test_what_is_damaged_or_foreign_is_counted_and_the_answer_is_right(
    store: Any, opened: Any, ask: Any, tmp_path: Path, harm: str
) -> None:
    fill(store(), ask)
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    if harm == "flipped":
        file.write_bytes(content)
    elif harm == "cut":
        file.write_bytes(content[:-100])
    elif harm == "foreign":  # of another model, under this one's name
        save_file(load_file(file), file, {"form": "tunesmith-prefix-1", "identity": "0" * 32, "key": "", "digest": ""})
    else:
        file.write_bytes(b"nonsense")
    engine = store()
    request = ask((*SHARED, 3), 8)
    found = answer(engine, request)
    assert found.usage.cached_tokens == 0
    assert found.choices == answer(opened(), request).choices
    assert engine._joined.prefixes.ignored == 1


def test_a_conversation_that_only_grows_is_not_kept_turn_by_turn(store: Any, ask: Any, tmp_path: Path) -> None:
    engine = store()
    first = answer(engine, ask(SHARED, 4))
    longer = (*SHARED, *(token.id for token in first.choices[0].tokens[:-1]))
    assert answer(engine, ask((*longer, 5, 6), 2)).usage.cached_tokens == len(longer)
    engine.close()
    assert files(tmp_path) == []


def test_short_beginnings_and_those_kept_already_are_not_kept(store: Any, ask: Any, tmp_path: Path) -> None:
    engine = store()
    for own in (1, 2, 3):
        answer(engine, ask((*SHARED[: LEAST - 2], own), 2))
    fill(engine, ask)
    assert len(files(tmp_path)) == 1
    fill(store(), ask)
    assert len(files(tmp_path)) == 1


def test_the_least_used_goes_where_it_takes_too_much(tmp_path: Path) -> None:
    tensors = [torch.zeros(2, 1, 100, 8), torch.zeros(2, 1, 100, 8)]
    one = Folder(tmp_path, "1" * 32, most_bytes=30_000)
    first, second = (one.write("k", range(n, n + 100), *tensors) for n in (0, 1))
    os.utime(first.path, (1, 1))
    os.utime(second.path, (2, 2))
    assert one.read(first) is not None  # and so it was used
    (tmp_path / "notes.safetensors").write_bytes(bytes(50_000))  # not ours
    other = Folder(tmp_path, "2" * 32, most_bytes=30_000)
    third = other.write("k", range(100), *tensors)
    assert [entry.path for entry in (*one.entries(), *other.entries())] == [first.path, third.path]
    assert (tmp_path / "notes.safetensors").exists()
    with pytest.raises(OSError, match="that all may take"):
        Folder(tmp_path, "3" * 32, most_bytes=1000).write("k", range(100), *tensors)


def test_what_a_killed_server_left_half_written_does_not_stay(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "1" * 32, most_bytes=30_000)
    old, new = (tmp_path / ("1" * 32) / f".{letter * 16}.partial" for letter in "ab")
    for file in (old, new):
        file.write_bytes(bytes(100))
    os.utime(old, (1, 1))
    assert folder.entries() == []
    assert (old.exists(), new.exists()) == (False, True)


def test_adapters_share_nothing_and_are_known_again_by_their_weights(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = store()
    keeping: Keeping = engine._joined.prefixes
    parts = {(0, "qkv"): [LowRank(torch.ones(4, 2), torch.ones(2, 4), 0, 4)]}
    mine, again, other = Adapter(parts), Adapter(dict(parts)), Adapter({(1, "qkv"): parts[0, "qkv"]})
    keeping.shared(Beginning(SHARED, mine, ""), engine._memory, 0)
    keeping.close()
    prompt = (*SHARED, 1)
    found = [
        keeping.restore(Beginning(prompt, adapter, ""), 0, engine._memory, 1) for adapter in (mine, again, other, None)
    ]
    assert found == [80, 80, 0, 0]
    assert keeping.restore(Beginning(prompt, mine, ""), 79, engine._memory, 1) == 0  # not worth a file
    monkeypatch.setattr(keeping, "close", lambda: None)


def test_what_a_beginning_belongs_to_is_all_that_computes_it(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Opening] = []
    from tunesmith.engine import accelerated

    real = accelerated._join
    monkeypatch.setattr(accelerated, "_join", lambda parts, opening: seen.append(opening) or real(parts, opening))
    opened()
    (opening,) = seen
    same = identity(opening)
    assert identity(replace(opening, name="another", slots=1)) == same
    steps: Any = opening.decoder
    assert identity(replace(opening, decoder=Chained(steps, 4))) == same
    opening.weights.norm[0] += 1
    assert identity(opening) != same


def test_folders_and_sizes_that_cannot_be_used(machine: Machine, opened: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected: where to keep .*: enterprise/prefix-store:FOLDER"):
        opened("enterprise/prefix-store")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="the folder of the prefix store cannot be used"):
        opened(f"enterprise/prefix-store:{tmp_path / 'file'}")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ModelError, match="others may write into the folder of the prefix store"):
        opened(f"enterprise/prefix-store:{shared}")
    machine.settings("[plugins.enterprise]\nprefix_store_gb = 0\n")
    with pytest.raises(SettingsError, match="expected: a number of gigabytes, more than 0"):
        opened(f"enterprise/prefix-store:{tmp_path / 'kept'}")
    machine.settings("")
    machine.delete()
    with pytest.raises(LicenseError):
        opened(f"enterprise/prefix-store:{tmp_path / 'unlicensed'}")
    assert not (tmp_path / "unlicensed").exists()


def test_what_is_found_in_memory_is_used_too_and_what_was_removed_is_kept_again(
    store: Any, ask: Any, tmp_path: Path
) -> None:
    fill(store(), ask)
    engine = store()
    (file,) = files(tmp_path)
    for own in (3, 4):
        os.utime(file, (1, 1))
        answer(engine, ask((*SHARED, own), 2))
        assert file.stat().st_mtime > 1
    file.unlink()  # by another process, to make room
    answer(engine, ask((*SHARED, 5), 2))
    engine.close()
    assert files(tmp_path) == [file]


def test_nothing_is_kept_for_a_model_that_was_opened_into_memory(
    store: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith.models import addressed

    monkeypatch.setitem(addressed._open, folder, ExitStack())  # as a sealed one is
    with pytest.raises(ModelError, match="keeps nothing for little: what it writes is not encrypted") as caught:
        store()
    assert "NAME:ADDRESS" in str(caught.value)
    assert "leave enterprise/prefix-store out" in str(caught.value)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("the writer of files fails")])
def test_what_cannot_be_written_is_counted_and_nobody_waits(
    store: Any, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = store()
    keeping: Keeping = engine._joined.prefixes

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", full)
    fill(engine, ask)
    assert (keeping.counts.failed, keeping.counts.kept) == (1, 0)
    assert list((tmp_path / "kept").glob("*/*")) == []
