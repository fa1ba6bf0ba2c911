# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Sealed models and rows, used as any others are: nothing of them comes to lie on a disk, and no license is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from licensed import Machine, a_machine
from sealing_runs import ROWS, a_recipe

import tunesmith
from tunesmith.data import cache
from tunesmith.engine import PredictRequest, open_engine
from tunesmith.errors import DataError, DeniedError, ModelError, OutputError
from tunesmith.export import export_model
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_llama
from tunesmith.training import train
from tunesmith_cli.main import main
from tunesmith_enterprise.governance.sealing import memory
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.folders import seal_folder, seal_one, seal_run
from tunesmith_enterprise.governance.sealing.keys import create_key_file
from tunesmith_enterprise.governance.sealing.ring import key_ring


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One whose settings name a key and no audit log; temporary folders are its own."""
    made = a_machine(tmp_path, monkeypatch)
    create_key_file(tmp_path / "seal.key")
    made.settings(f'[plugins.enterprise]\nseal_keys = ["{tmp_path.as_posix()}/seal.key"]\n')
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(cache, "_keeps", True)
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    yield made
    assert list((tmp_path / "temporary").iterdir()) == []  # what was opened is closed, whatever happened


@pytest.fixture
def sealed(trained: Path, machine: Machine) -> Path:
    """The run, sealed."""
    shutil.copytree(trained / "run", machine.folder / "run")
    seal_run(machine.folder / "run", key_ring())
    return machine.folder / "run"


def test_a_sealed_run_answers_as_the_plain_one(trained: Path, sealed: Path, machine: Machine) -> None:
    texts = [row["text"] for row in ROWS[:4]]
    plain = tunesmith.load(trained / "run").predict(texts)
    model = tunesmith.load(f"enterprise/sealed:{sealed}")
    assert model.path is None
    assert list((machine.folder / "temporary").iterdir()) == []  # it is in memory, and its files are given back
    assert model.predict(texts) == plain
    assert machine.asked == []


def test_a_sealed_run_is_served_with_all_options(sealed: Path, machine: Machine) -> None:
    engine = open_engine(f"sealed:{sealed}", name="mine", device="cpu", weights="fp32")
    try:
        assert engine.submit(PredictRequest(rows=("a pear",))).result(timeout=30).rows[0]["label"]
    finally:
        engine.close()


def test_what_prompts_begin_with_is_not_kept_for_a_sealed_model(machine: Machine) -> None:
    model = tiny_llama(machine.folder / "llama")
    seal_folder(model, key_ring())
    kept = machine.folder / "kept"
    with pytest.raises(ModelError, match="the prefix store keeps nothing for mine: what it writes is not encrypted"):
        open_engine(f"sealed:{model}", name="mine", accelerate=[f"enterprise/prefix-store:{kept}"])
    assert list(kept.iterdir()) == []


def test_a_run_goes_on_from_a_sealed_one(trained: Path, sealed: Path, machine: Machine) -> None:
    out = machine.folder / "next"
    train(a_recipe(trained, out, model=f"enterprise/sealed:{sealed}"))
    assert json.loads((out / "run.json").read_text())["model"]["name"] == f"enterprise/sealed:{sealed}"
    assert list((machine.folder / "temporary").iterdir()) == []


def test_a_sealed_run_is_exported(sealed: Path, machine: Machine) -> None:
    made = export_model(f"enterprise/sealed:{sealed}", to="merged", out=machine.folder / "merged")
    assert (made.path / "model.safetensors").is_file()
    assert list((machine.folder / "temporary").iterdir()) == []


def test_without_a_prefix_the_core_says_what_lies_there(sealed: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json") as caught:
        tunesmith.load(sealed)
    assert "config.json.sealed" in str(caught.value)


def test_what_is_not_sealed_is_not_opened_as_if_it_were(trained: Path, machine: Machine) -> None:
    with pytest.raises(ModelError, match="there is no sealed model") as caught:
        tunesmith.load(f"enterprise/sealed:{trained / 'run'}")
    assert f"write {trained / 'run'}" in str(caught.value)
    with pytest.raises(ModelError, match="enterprise/sealed needs an address"):
        tunesmith.load("enterprise/sealed")


@pytest.mark.parametrize("kind", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_keeps_all_of_it_closed(sealed: Path, kind: str, machine: Machine) -> None:
    path = sealed / "model" / f"{kind}.sealed"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(SealedFileError, match="was changed, or belongs elsewhere"):
        tunesmith.load(f"enterprise/sealed:{sealed}")


def test_a_lost_key_is_named(sealed: Path, machine: Machine) -> None:
    (machine.folder / "seal.key").rename(machine.folder / "elsewhere")
    with pytest.raises(SealKeyError, match=r"the key of .* is not at hand") as caught:
        tunesmith.load(f"enterprise/sealed:{sealed}")
    assert "seal.key cannot be read" in str(caught.value)
    (machine.folder / "elsewhere").rename(machine.folder / "seal.key")
    tunesmith.load(f"enterprise/sealed:{sealed}")


def test_opening_stands_in_the_audit_log_and_needs_no_license(sealed: Path, machine: Machine) -> None:
    key = machine.folder / "seal.key"
    machine.settings(
        f'[plugins.enterprise]\naudit_log = "{machine.log.path.as_posix()}"\nseal_keys = ["{key.as_posix()}"]\n'
    )
    machine.delete()
    tunesmith.load(f"enterprise/sealed:{sealed}")
    records = {record.event: record.fields for record in machine.log.read()}
    assert list(records) == ["open", "unseal"]
    assert records["unseal"]["subject"] == str(sealed)
    assert records["unseal"]["keys"] == [key_ring().keys[0].id]
    assert records["unseal"]["purpose"] == "model"


def test_who_may_not_open_does_not_get_as_far_as_a_key(sealed: Path, machine: Machine) -> None:
    machine.settings('[plugins.enterprise]\naudit_log = "/dev/null/none"\n')  # a gate that says no
    with pytest.raises(DeniedError):
        tunesmith.load(f"enterprise/sealed:{sealed}")
    from tunesmith_enterprise.governance.sealing.opening import open_model

    with pytest.raises(DeniedError, match="cannot be opened"), open_model(str(sealed)):
        pass


def test_a_viewer_opens_in_memory_and_takes_no_copy(sealed: Path, machine: Machine) -> None:
    key, policy = machine.folder / "seal.key", machine.folder / "policy.toml"
    policy.write_text('version = 1\ncontact = "security@example.org"\ndefault = "allow"\n[roles]\ndefault = "viewer"\n')
    machine.settings(f'[plugins.enterprise]\npolicy = "{policy.as_posix()}"\nseal_keys = ["{key.as_posix()}"]\n')
    assert tunesmith.load(f"enterprise/sealed:{sealed}").predict(["a pear"])
    for args in (["unseal", str(sealed), "--out", "copy"], ["seal", "rewrap", str(sealed)]):
        assert main(args) == DeniedError.exit_code
    assert not (machine.folder / "copy").exists()


# ---- rows ------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(trained: Path, machine: Machine) -> Path:
    path = machine.folder / "rows.jsonl"
    shutil.copy(trained / "rows.jsonl", path)
    seal_one(path, key_ring())
    assert not path.exists()
    return path.with_name("rows.jsonl.sealed")


def test_sealed_rows_train_to_the_same_weights(trained: Path, rows: Path, machine: Machine) -> None:
    shutil.copytree(trained / "bert", machine.folder / "bert")
    train(a_recipe(machine.folder, machine.folder / "run", rows="rows.jsonl.sealed"))
    weights = "model/model.safetensors"
    assert (machine.folder / "run" / weights).read_bytes() == (trained / "run" / weights).read_bytes()
    assert machine.asked == []


def test_nothing_of_sealed_rows_is_kept_between_jobs(
    rows: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith.data import read_examples, stored_examples
    from tunesmith.tasks import encoding

    monkeypatch.setattr(stored_examples, "LARGE", 1)  # rows of any file would be kept
    monkeypatch.setattr(encoding, "FEW", 1)
    monkeypatch.setattr(encoding, "QUICK", -1.0)

    def kept(path: Path) -> set[str]:
        job = a_recipe(machine.folder, machine.folder / "x", rows=path.name)
        task = get_registry().load("task", "text-classification")
        read_examples(job.data, task(job.data), get_registry())
        return {one.kind for one in cache.cache_entries()}

    assert kept(rows) == set()
    monkeypatch.setattr(cache, "_keeps", True)
    (machine.folder / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert kept(machine.folder / "plain.jsonl") == {"rows"}


def test_a_bad_row_is_named_by_the_sealed_file(machine: Machine) -> None:
    path = machine.folder / "rows.jsonl"
    path.write_text('{"text": "a", "label": "b"}\n{"text": \n')
    seal_one(path, key_ring())
    section = a_recipe(machine.folder, machine.folder / "x", rows="rows.jsonl.sealed").data
    from tunesmith.data import read_rows

    good, bad = read_rows(section.train, section, get_registry())
    assert [str(item.origin) for item in (good, bad)] == [f"{path}.sealed:1", f"{path}.sealed:2"]


def test_rows_of_no_known_format_are_named(machine: Machine) -> None:
    path = machine.folder / "rows.odd"
    path.write_text("x")
    seal_one(path, key_ring())
    section = a_recipe(machine.folder, machine.folder / "x", rows="rows.odd.sealed").data
    from tunesmith.data import read_rows

    with pytest.raises(DataError, match=r"rows\.odd: no reader for files with this ending"):
        list(read_rows(section.train, section, get_registry()))


# ---- memory ----------------------------------------------------------------------------------------------------

HOLDS = """
import sys, time
from tunesmith_enterprise.governance.sealing.memory import memory_folder
with memory_folder() as folder:
    print(folder.add("deep/secret", lambda file: file.write(b"what nobody may read")), flush=True)
    time.sleep(60)
"""


def test_after_kill_9_nothing_of_what_was_opened_is_left(machine: Machine) -> None:
    temporary = machine.folder / "temporary"
    environ = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        link = Path(process.stdout.readline().strip())
        assert link.read_bytes() == b"what nobody may read"
        assert not [path for path in temporary.rglob("*") if path.is_file() and not path.is_symlink()]
        process.kill()
    assert link.is_symlink()
    assert not link.exists()
    with memory.memory_folder():
        assert not link.is_symlink()


def test_what_is_in_memory_cannot_be_changed_by_others(machine: Machine) -> None:
    with memory.memory_folder() as folder:
        link = folder.add("a", lambda file: file.write(b"x"))
        with pytest.raises(PermissionError), link.open("r+b") as file:
            file.write(b"y")
        assert link.read_bytes() == b"x"


def test_where_memory_cannot_hold_files_it_says_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(OutputError, match="this system cannot do that"), memory.memory_folder():
        pass
