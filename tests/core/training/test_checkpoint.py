# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import errno
import json
import os
import random
import re
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from tunesmith.errors import OutputError, RunError
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.randomness import own_random_state


def trained(steps, seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    optimizer = make_optimizer(model, TrainSection())
    progress = Progress()
    train(model, optimizer, progress, steps)
    return model, optimizer, progress


def train(model, optimizer, progress, steps):
    for _ in range(steps):
        loss = model(torch.randn(4, 6)).square().sum()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()
        optimizer.zero_grad()
        progress.step += 1


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng():
        yield


def save(folder, model, optimizer, progress, keep=2):
    return save_checkpoint(folder, model=model, optimizer=optimizer, progress=progress, keep=keep)


def load_newest(folder, model, optimizer):
    return Checkpoints(folder, model, optimizer, keep=2).load()


def test_going_on_is_equal_bit_for_bit(tmp_path):
    model, optimizer, progress = trained(5)
    path = save(tmp_path, model, optimizer, progress)
    train(model, optimizer, progress, 5)

    other, other_optimizer, _ = trained(0, seed=99)
    again = load_checkpoint(path, model=other, optimizer=other_optimizer)
    assert again.step == 5
    train(other, other_optimizer, again, 5)
    for expected, actual in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(expected, actual)


def test_only_the_newest_are_kept_and_partial_ones_are_not_seen(tmp_path):
    model, optimizer, progress = trained(1)
    for _ in range(4):
        save(tmp_path, model, optimizer, progress)
        progress.step += 1
    for leftover in (".step-00000099.partial", ".step-00000002.old"):
        (tmp_path / leftover).mkdir()
    assert load_newest(tmp_path, model, optimizer) == (Progress(step=4), ())
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000003", "step-00000004"]
    save(tmp_path, model, optimizer, progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"], "leftovers are gone"


def test_no_checkpoint_yet(tmp_path):
    model, optimizer, _ = trained(0)
    assert load_newest(tmp_path / "none", model, optimizer) == (None, ())


def test_what_numpy_and_python_draw_goes_on_as_well(tmp_path):
    def draw():
        random.gauss(0, 1)
        return random.random(), random.gauss(0, 1), np.random.normal(), np.random.rand(3).tolist()

    with own_random_state(3, torch.device("cpu")):
        model, optimizer, progress = trained(1)
        draw()
        random.gauss(0, 1)
        np.random.normal()
        path = save(tmp_path, model, optimizer, progress)
        expected = draw()
    outside = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    with own_random_state(99, torch.device("cpu")):
        load_checkpoint(path, model=model, optimizer=optimizer)
        assert draw() == expected
    assert random.getstate() == outside[0]
    assert np.random.get_state()[1].tolist() == outside[1]
    assert torch.equal(torch.get_rng_state(), outside[2])


FILES = ["weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"]


def flip(path):
    data = bytearray(path.read_bytes())
    place = data.index(b'"step": ') + 8 if path.suffix == ".json" else -1
    data[place] ^= 1
    path.write_bytes(data)


def two(folder):
    model, optimizer, progress = trained(1)
    save(folder, model, optimizer, progress)
    progress.step = 2
    return save(folder, model, optimizer, progress), model, optimizer


DAMAGE = {
    "changed": (flip, "has changed since it was written"),
    "cut": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "(changed since|cannot be read)",
    ),
    "missing": (lambda path: path.unlink(), "(is missing|cannot be read)"),
    "empty": (lambda path: path.write_bytes(b""), "(changed since|cannot be read)"),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_taken(tmp_path, name, how):
    path, model, optimizer = two(tmp_path)
    hurt, words = DAMAGE[how]
    hurt(path / name)
    with pytest.raises(RunError, match=rf"is damaged[\s\S]*{re.escape(name)}.*{words}"):
        load_checkpoint(path, model=model, optimizer=optimizer)

    progress, notes = load_newest(tmp_path, model, optimizer)
    assert progress.step == 1
    (note,) = notes
    assert re.search(rf"step-00000002 is damaged \({re.escape(name)}.*{words}", note)
    assert note.endswith("set aside as damaged-step-00000002; the job goes on from step-00000001")
    progress.step = 2
    again = save(tmp_path, model, optimizer, progress)
    assert load_checkpoint(again, model=model, optimizer=optimizer).step == 2, "it is written anew"
    hurt(again / name)
    load_newest(tmp_path, model, optimizer)
    assert (tmp_path / "damaged-step-00000002-2").is_dir()


def test_no_whole_checkpoint_is_an_error_and_changes_nothing(tmp_path):
    path, model, optimizer = two(tmp_path)
    for name in ("step-00000001", "step-00000002"):
        flip(tmp_path / name / "weights.safetensors")
    with pytest.raises(RunError, match=r"no checkpoint in .* is whole") as caught:
        load_newest(tmp_path, model, optimizer)
    assert "step-00000001: weights.safetensors has changed" in str(caught.value)
    assert f"or delete {tmp_path}: the run then starts again at its first step" in str(caught.value)
    assert path.is_dir()


def test_a_checkpoint_of_another_format_says_so(tmp_path):
    path, model, optimizer = two(tmp_path)
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(state | {"format": 99}))
    with pytest.raises(RunError, match="format 99, and this Tunesmith writes format 2"):
        load_checkpoint(path, model=model, optimizer=optimizer)


@pytest.mark.parametrize("nth", range(1, 9))
def test_a_write_that_fails_anywhere_leaves_the_previous_checkpoint_whole(tmp_path, monkeypatch, nth):
    """The disk fills up at the n-th flush or rename of a save."""
    _, model, optimizer = two(tmp_path)
    calls = 0

    def failing(real):
        def call(*args):
            nonlocal calls
            calls += 1
            if calls == nth:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args)

        return call

    before = sorted(file.name for file in tmp_path.iterdir())
    with monkeypatch.context() as patch:
        for name in ("fsync", "replace"):
            patch.setattr(os, name, failing(getattr(os, name)))
        with pytest.raises(OutputError, match=r"the disk is full[\s\S]*to do:"):
            save(tmp_path, model, optimizer, Progress(step=3))
    if nth <= 6:  # up to the rename
        assert sorted(file.name for file in tmp_path.iterdir()) == before
    progress, notes = load_newest(tmp_path, model, optimizer)
    assert progress.step == (2 if nth <= 6 else 3)
    assert notes == ()


def test_every_file_and_folder_is_flushed_before_the_name_that_says_whole(tmp_path, monkeypatch):
    model, optimizer, progress = trained(1)
    log = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (log.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (log.append("renamed"), replace(a, b)))
    save(tmp_path / "run" / "checkpoints", model, optimizer, progress)
    flushed = [os.path.relpath(entry, tmp_path) for entry in log if entry != "renamed"]
    at = log.index("renamed")
    partial = "run/checkpoints/.step-00000001.partial"
    assert flushed[0] == "run", "the folder of checkpoints is new: its name is flushed too"
    assert set(flushed[1:at]) == {partial, *(f"{partial}/{name}" for name in FILES)}
    assert flushed[at:] == ["run/checkpoints"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    path = save(tmp_path, *trained(1))
    other = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(2, 2))
    with pytest.raises(RunError, match="is of another model"):
        load_checkpoint(path, model=other, optimizer=make_optimizer(other, TrainSection()))


def test_frozen_weights_are_not_saved(tmp_path):
    from safetensors import safe_open

    model, optimizer, progress = trained(1)
    model[0].requires_grad_(False)
    path = save(tmp_path, model, optimizer, progress)
    with safe_open(path / "weights.safetensors", "pt") as file:
        assert sorted(file.keys()) == ["2.bias", "2.weight"]


def test_its_files_are_for_whoever_the_folder_is_for(tmp_path):
    (tmp_path / "any").touch()
    path = save(tmp_path, *trained(1))
    assert {file.stat().st_mode for file in path.iterdir()} == {(tmp_path / "any").stat().st_mode}
    assert sorted(file.name for file in path.iterdir())[-1] == "weights.safetensors"


def test_a_full_disk_leaves_the_previous_checkpoint_whole(tmp_path, forge):
    """A real limit of the operating system on file size, in a real process."""
    code = """
        import resource, signal, sys
        from pathlib import Path
        import torch
        from torch import nn
        from tunesmith.errors import OutputError
        from tunesmith.recipe.schema import TrainSection
        from tunesmith.training.checkpoint import Progress, save_checkpoint
        from tunesmith.training.optimizer import make_optimizer
        model = nn.Linear(200, 200)
        optimizer = make_optimizer(model, TrainSection())
        folder = Path(sys.argv[1])
        save_checkpoint(folder, model=model, optimizer=optimizer, progress=Progress(step=1), keep=2)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            save_checkpoint(folder, model=model, optimizer=optimizer, progress=Progress(step=2), keep=1)
        except OutputError as error:
            print(error)
    """
    done = forge.python("-c", textwrap.dedent(code), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step-00000002" in done.stdout
    assert "to do:" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
