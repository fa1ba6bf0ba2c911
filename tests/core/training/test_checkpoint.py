# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from tunesmith.errors import RunError
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.checkpoint import Progress, latest_checkpoint, load_checkpoint, save_checkpoint
from tunesmith.training.optimizer import make_optimizer


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
    (tmp_path / ".step-00000099.partial").mkdir()
    (tmp_path / "step-00000098").mkdir()  # no state.json: never renamed by us
    assert latest_checkpoint(tmp_path).name == "step-00000004"
    assert sorted(path.name for path in tmp_path.glob("step-0000000*")) == ["step-00000003", "step-00000004"]


def test_no_checkpoint_yet(tmp_path):
    assert latest_checkpoint(tmp_path / "none") is None


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "random.safetensors"])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, name):
    model, optimizer, progress = trained(1)
    save(tmp_path, model, optimizer, progress)
    progress.step = 2
    path = save(tmp_path, model, optimizer, progress)
    data = bytearray((path / name).read_bytes())
    data[-1] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(RunError) as caught:
        load_checkpoint(path, model=model, optimizer=optimizer)
    assert f"{name} has changed since it was written" in str(caught.value)
    assert "resume from step-00000001" in str(caught.value)


def test_a_missing_file_and_a_torn_state_are_damage(tmp_path):
    model, optimizer, progress = trained(1)
    path = save(tmp_path, model, optimizer, progress)
    (path / "optimizer.safetensors").unlink()
    with pytest.raises(RunError, match=r"optimizer\.safetensors is missing"):
        load_checkpoint(path, model=model, optimizer=optimizer)
    (path / "state.json").write_text('{"form')
    with pytest.raises(RunError, match=r"state\.json cannot be read"):
        load_checkpoint(path, model=model, optimizer=optimizer)


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


def test_a_full_disk_leaves_the_previous_checkpoint_whole(tmp_path):
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
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "step-00000002" in done.stdout
    assert "to do:" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
