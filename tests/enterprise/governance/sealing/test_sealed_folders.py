# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Folders and runs: sealed where they lie, whole at every moment, opened elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import DataError, OutputError, RunError
from tunesmith.recipe import parse_recipe
from tunesmith.runs import Run, artefact_digests, list_runs
from tunesmith_enterprise.governance.sealing import files, folders
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.files import header_of
from tunesmith_enterprise.governance.sealing.folders import (
    PLAIN,
    rewrap,
    seal_folder,
    seal_one,
    seal_run,
    unseal,
    verify,
)
from tunesmith_enterprise.governance.sealing.keys import FileKey
from tunesmith_enterprise.governance.sealing.ring import KeyRing


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its place."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_sealed_in_place_and_comes_out_elsewhere(folder: Path, ring: KeyRing, tmp_path: Path) -> None:
    before = contents(folder)
    assert seal_folder(folder, ring) == 3
    assert sorted(contents(folder)) == ["config.json.sealed", "deep/weights.bin.sealed", "empty.sealed"]
    assert not [1 for raw in contents(folder).values() if b'"a": 1' in raw]
    assert verify(folder, ring) == folders.Checked(3, {})
    assert unseal(folder, tmp_path / "out", ring) == 3
    assert contents(tmp_path / "out") == before
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*") if path.is_file()} == {0o600}


def test_sealing_again_seals_what_came_meanwhile_and_nothing_else(folder: Path, ring: KeyRing) -> None:
    seal_folder(folder, ring)
    (folder / "new").write_text("new")
    assert seal_folder(folder, ring) == 1
    assert seal_folder(folder, ring) == 0
    assert len({header_of(path).facts.set for path in folder.rglob("*.sealed")}) == 1


def dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do it in a process that is gone before the step-th thing it does to the disk; False: it came to the end."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        done = [0]

        def counted(real: Any) -> Any:
            def do(*args: Any, **more: Any) -> Any:
                done[0] += 1
                if done[0] == step:
                    os._exit(9)
                return real(*args, **more)

            return do

        for name in ("open", "fsync", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        Path.unlink = counted(Path.unlink)  # type: ignore[method-assign]
        files.flush_folder = counted(files.flush_folder)  # type: ignore[attr-defined]
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def test_killed_between_any_two_steps_every_file_is_there_whole_and_a_second_call_completes_it(
    tmp_path: Path, ring: KeyRing
) -> None:
    step, original = 0, {"config.json": b"{}", "weights": b"w" * 100}
    while True:
        step += 1
        place = tmp_path / str(step)
        place.mkdir()
        for name, content in original.items():
            (place / name).write_bytes(content)
        killed = dies_at(step, lambda place=place: seal_folder(place, ring))  # type: ignore[misc]
        for name, content in original.items():
            plain = place / name
            whole = plain.read_bytes() if plain.exists() else opened(place / f"{name}.sealed", ring)
            assert whole == content, f"at step {step}"
        seal_folder(place, ring)
        assert sorted(contents(place)) == ["config.json.sealed", "weights.sealed"], f"at step {step}"
        assert verify(place, ring) == folders.Checked(2, {})
        if not killed:
            break
    assert step > 8


def opened(path: Path, ring: KeyRing) -> bytes:
    out = path.with_name("opened")
    unseal(path, out, ring)
    content = out.read_bytes()
    out.unlink()
    return content


def test_two_versions_that_differ_are_both_kept(folder: Path, ring: KeyRing) -> None:
    seal_folder(folder, ring)
    (folder / "config.json").write_text("edited")
    with pytest.raises(OutputError, match="are both there and hold different things, and nothing was removed"):
        seal_folder(folder, ring)
    assert (folder / "config.json").read_text() == "edited"
    assert opened(folder / "config.json.sealed", ring) == b'{"a": 1}'


def test_what_does_not_open_leaves_nothing_behind(folder: Path, ring: KeyRing, other: KeyRing, tmp_path: Path) -> None:
    seal_folder(folder, ring)
    before = contents(tmp_path)
    with pytest.raises(SealKeyError):
        unseal(folder, tmp_path / "out", other)
    assert contents(tmp_path) == before
    with pytest.raises(OutputError, match="is there already, and nothing is overwritten"):
        unseal(folder, folder, ring)
    with pytest.raises(OutputError, match="there is no folder ") as caught:
        unseal(folder, tmp_path / "none" / "out", ring)
    assert caught.value.fix == (f"make it: mkdir -p {tmp_path / 'none'}",)


def test_files_that_change_places_or_come_from_another_folder_are_found(
    folder: Path, ring: KeyRing, tmp_path: Path
) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(folder, twin)
    seal_folder(folder, ring)
    seal_folder(twin, ring)
    (folder / "config.json.sealed").rename(folder / "other.sealed")
    with pytest.raises(SealedFileError, match="is another file than its name says"):
        unseal(folder, tmp_path / "out", ring)
    (folder / "other.sealed").unlink()
    shutil.copy(twin / "config.json.sealed", folder / "config.json.sealed")
    found = verify(folder, ring)
    assert found.sound == 1
    assert all("was sealed with another folder" in why for why in found.wrong.values())
    assert len(found.wrong) == 2  # the first one says which set the others are held against


def test_links_are_refused(folder: Path, ring: KeyRing) -> None:
    (folder / "link").symlink_to(folder / "config.json")
    with pytest.raises(DataError, match="is no plain file"):
        seal_folder(folder, ring)
    assert (folder / "config.json").exists()
    with pytest.raises(DataError, match="no such file"):
        seal_one(folder / "link", ring)


def test_nothing_to_seal_is_an_error(tmp_path: Path, ring: KeyRing) -> None:
    with pytest.raises(DataError, match="nothing to seal"):
        seal_folder(tmp_path, ring)
    with pytest.raises(DataError, match="no such folder"):
        seal_folder(tmp_path / "none", ring)
    with pytest.raises(DataError, match="no such file"):
        seal_one(tmp_path / "none", ring)


# ---- runs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One that looks finished."""
    recipe = parse_recipe(
        {"task": "text-classification", "model": "tunesmith/tiny", "data": {"train": ["rows.csv"]}, "output": "x"}
    )
    made = Run.create(tmp_path / "runs" / "one", recipe)
    (made.path / "model").mkdir()
    (made.path / "checkpoints" / "step-2").mkdir(parents=True)
    for name in ("model/config.json", "model/model.safetensors", "golden.json", "report.html", "checkpoints/step-2/x"):
        (made.path / name).write_text(f"secret of {name}")
    made.log({"kind": "step", "step": 1, "loss": 2.0})
    made.update(status="finished", metrics={"test": {"accuracy": 0.5}}, artefacts=artefact_digests(made.path))
    return made


def test_a_sealed_run_is_still_listed_and_nothing_else_of_it_is_readable(run: Run, ring: KeyRing) -> None:
    listed = list_runs(run.path.parent)
    assert seal_run(run.path, ring) == 5
    plain = {name for name in contents(run.path) if not name.endswith(".sealed")}
    assert plain == set(PLAIN)
    assert list_runs(run.path.parent) == listed
    assert run.metrics() == [{"kind": "step", "step": 1, "loss": 2.0}]
    assert not [name for name, raw in contents(run.path).items() if b"secret of" in raw]


def test_a_run_that_is_unsealed_is_the_run_as_it_was(run: Run, ring: KeyRing, tmp_path: Path) -> None:
    before = {name: raw for name, raw in contents(run.path).items() if name != "run.lock"}
    seal_run(run.path, ring)
    unseal(run.path, tmp_path / "back", ring)
    assert contents(tmp_path / "back") == before


def test_verify_holds_a_run_against_its_own_digests(run: Run, ring: KeyRing) -> None:
    (run.path / "golden.json").write_text("changed before it was sealed")
    seal_run(run.path, ring)
    found = verify(run.path, ring)
    assert found.sound == 4
    assert found.wrong == {"golden.json.sealed": "it is not what the run had when it finished"}
    (run.path / "model" / "config.json.sealed").unlink()
    found = verify(run.path, ring)
    assert found.sound == 3
    assert found.wrong["model/config.json"] == "it is not there, and was when the run finished"


def test_a_run_that_somebody_works_on_is_not_sealed(run: Run, ring: KeyRing, tmp_path: Path) -> None:
    with run.locked(), pytest.raises(RunError, match="is in use"):
        seal_run(run.path, ring)
    with pytest.raises(RunError, match="no such run"):
        seal_run(tmp_path / "none", ring)


def test_all_of_a_folder_is_rewrapped(folder: Path, ring: KeyRing) -> None:
    seal_folder(folder, ring)
    new = FileKey(b"\x05" * 32)
    assert rewrap(folder, KeyRing((new, *ring.keys))) == (3, 3)
    assert rewrap(folder, KeyRing((new,))) == (0, 3)
    assert verify(folder, KeyRing((new,))).sound == 3
