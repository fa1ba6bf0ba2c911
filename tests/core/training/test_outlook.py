# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Jobs that do not fit: refused before they leave a trace, explained when it comes out later."""

import errno
import re

import pytest
import torch

import tunesmith
from tunesmith.errors import OutOfMemoryError, TooLargeError
from tunesmith.machine.memory import Room
from tunesmith.runs import Run
from tunesmith.testing import tiny_bert
from tunesmith.training import job, outlook
from tunesmith.training.memory import Memory
from tunesmith.training.outlook import Outlook, Remedy, memory_explained, refuse_too_large, short_of_memory
from tunesmith.training.strategy import Single

MB = 10**6
MEMORY = Memory(
    process=500 * MB,
    weights=100 * MB,
    gradients=100 * MB,
    optimizer=200 * MB,
    activations=700 * MB,
    working=0,
    copies=100 * MB,
)


@pytest.fixture
def recipe(tmp_path):
    """A small job with rows of 2 to 40 words."""
    lines = [f"{'word ' * (2 + number)},{'ab'[number % 2]}" for number in range(18)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    return tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": str(tiny_bert(tmp_path / "bert")),
            "data": {"train": str(tmp_path / "rows.csv"), "split": {"test": 0.2}},
            "train": {"epochs": 2, "tokens_per_batch": 300, "precision": "fp32", "save_every": 1},
            "output": str(tmp_path / "run"),
        }
    )


def room(total):
    return Room(400 * MB, total - 400 * MB, "the memory limit of this container (cgroup)")


def test_the_peak_is_the_sum_of_its_parts():
    assert MEMORY.step == (500 + 200 + 100 + 700 + 160) * MB == MEMORY.peak


@pytest.mark.parametrize(
    ("total", "fits", "words"),
    [
        (4_000 * MB, True, "about 1.7 GB at the peak; there is room for 4.0 GB"),
        (1_500 * MB, False, "about 1.7 GB at the peak, and there is room for 1.5 GB only: it may not suffice"),
    ],
)
def test_what_is_said_of_memory_at_the_start(total, fits, words):
    found = Outlook(MEMORY, room(total), ())
    assert (found.fits, found.sentence) == (fits, words)
    refuse_too_large(found)  # tight is no reason to refuse


def test_where_nobody_knows_how_much_there_is_nothing_is_refused():
    found = Outlook(MEMORY, None, ())
    assert found.fits is None
    assert found.sentence == "about 1.7 GB at the peak"
    refuse_too_large(found)


def test_clearly_too_large():
    remedy = Remedy("--set train.accumulate=4", 900 * MB, "the result is the same")
    with pytest.raises(TooLargeError) as caught:
        refuse_too_large(Outlook(MEMORY, room(1_000 * MB), (remedy,)))
    text = str(caught.value)
    assert "needs about 1.7 GB of memory, and there is room for 1.0 GB" in text
    assert "weights 100.0 MB, gradients 100.0 MB, optimizer 200.0 MB, activations 700.0 MB" in text
    assert "the memory limit of this container (cgroup)" in text
    assert "--set train.accumulate=4  (about 900.0 MB; the result is the same)" in text
    assert "--force" in text
    assert caught.value.exit_code == 4


def test_a_job_that_cannot_fit_leaves_nothing_behind(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(outlook, "room_on", lambda _: Room(1, 1, "a thimble"))
    with pytest.raises(TooLargeError, match=r"train\.accumulate=") as caught:
        tunesmith.train(recipe)
    assert not (tmp_path / "run").exists()
    assert len(caught.value.fix) <= 4
    run = tunesmith.train(recipe, force=True)
    assert run.manifest["status"] == "finished"


def test_looking_ahead_changes_no_weight(recipe, tmp_path, monkeypatch):
    seen = tunesmith.train(recipe)
    monkeypatch.setattr(job, "look_ahead", lambda _: None)
    blind = tunesmith.train(recipe.model_copy(update={"output": str(tmp_path / "blind")}))
    weights = [run.model_folder.joinpath("model.safetensors").read_bytes() for run in (seen, blind)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
            "you tried to allocate 12533760 bytes. Error code 12 (Cannot allocate memory)"
        ),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    ],
    ids=["cpu", "python", "cuda"],
)
def test_memory_that_runs_out_in_a_step(recipe, tmp_path, monkeypatch, failure):
    inner, calls = Single.backward, []

    def backward(*args):
        calls.append(1)
        if len(calls) == 3:
            raise failure
        return inner(*args)

    monkeypatch.setattr(Single, "backward", backward)
    with pytest.raises(OutOfMemoryError) as caught:
        tunesmith.train(recipe)
    text = str(caught.value)
    assert text.startswith("the memory is used up")
    assert "in all (rows, libraries" in text
    assert "--set train.accumulate=2" in text
    assert len(re.findall(r"--set \S+  \(about [\d.]+ [MG]B; ", text)) == 3, text  # the best remedies, with sizes
    assert f"tunesmith train --resume {tmp_path / 'run'}" in text
    assert caught.value.exit_code == 3
    assert caught.value.__cause__ is failure
    run = Run.open(tmp_path / "run")
    assert run.manifest["status"] == "failed"
    assert "the memory is used up" in run.manifest["error"]
    monkeypatch.setattr(Single, "backward", inner)
    assert tunesmith.train(resume=run.path).manifest["status"] == "finished"  # the checkpoint of step 2 is whole


def test_memory_that_runs_out_before_there_is_a_run(recipe, tmp_path, monkeypatch):
    def prepare(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(job, "prepare", prepare)
    with pytest.raises(OutOfMemoryError, match="room for the rows, the model and what training adds"):
        tunesmith.train(recipe)
    assert not (tmp_path / "run").exists()


def test_how_much_was_asked_for_is_said_in_words():
    told = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 12533760 bytes. Error code 12"
    assert short_of_memory(RuntimeError(told)) == "12.5 MB more were asked for and not given"
    assert short_of_memory(MemoryError()) == "MemoryError"


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), OSError(errno.ENOSPC, "disk"), ValueError("x")])
def test_other_failures_pass_as_they_are(error):
    assert short_of_memory(error) is None
    with pytest.raises(type(error)) as caught, memory_explained():
        raise error
    assert caught.value is error


def test_tensors_of_the_failed_step_are_let_go():
    def step():
        large = torch.ones(1000)  # noqa: F841 - held by the frame
        raise MemoryError

    with pytest.raises(OutOfMemoryError) as caught, memory_explained():
        step()
    frames, trace = [], caught.value.__cause__.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    assert not any("large" in frame.f_locals for frame in frames)
