# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whole jobs: what is refused, what is told, and that an interrupted one ends as if it had not been."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from forge import Forge
from torch import nn

import tunesmith
from tunesmith.errors import RecipeError, StoppedError, TunesmithError
from tunesmith.plugin import StepDone
from tunesmith.recipe import parse_recipe
from tunesmith.runs import Run
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith_privacy.dp.strategy import DifferentiallyPrivate


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dp")
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    rows = [{"text": f"{'good' if n % 2 else 'bad'} thing {n}", "label": "+" if n % 2 else "-"} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "long.txt").write_text("word " * 400)
    return folder


def job(place: Path, output: Path, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "task": "text-classification",
        "model": str(place / "bert"),
        "data": {"train": str(place / "rows.jsonl"), "split": {"test": 0.1}, "max_length": 32},
        "train": {"strategy": "privacy/dp", "rows_per_batch": 9, "epochs": 2, "device": "cpu", "learning_rate": 1e-3},
        "evaluate": {"before": False},
        "plugins": {"privacy": {"epsilon": 4, "delta": 1e-3}},
        "output": str(output),
    }
    for key, part in changes.items():
        values[key] = {**values[key], **part} if isinstance(part, dict) else part
    return values


def refusal(place: Path, tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(TunesmithError) as caught:
        tunesmith.train(parse_recipe(job(place, tmp_path / "run", **changes)))
    assert not (tmp_path / "run").exists()
    return str(caught.value)


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("way", ["fast", "plain"])
def test_a_job_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    place: Path, tmp_path: Path, way: str
) -> None:
    privacy = {"privacy": {"epsilon": 4, "delta": 1e-3, "gradients": way}}
    short = {"max_steps": 4}
    whole = tunesmith.train(parse_recipe(job(place, tmp_path / "whole", plugins=privacy, train=short)))
    flag = Event()

    def stop(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            flag.set()

    with pytest.raises(StoppedError):
        tunesmith.train(
            parse_recipe(job(place, tmp_path / "part", plugins=privacy, train=short)), observers=[stop], stop=flag
        )
    tunesmith.train(resume=tmp_path / "part")
    assert weights(whole.path) == weights(tmp_path / "part")
    if way == "fast":  # else equal weights would say little
        other = tunesmith.train(
            parse_recipe(job(place, tmp_path / "other", plugins=privacy, train=short | {"seed": 1}))
        )
        assert weights(other.path) != weights(whole.path)


def test_a_secret_changes_the_noise_and_is_told_of(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    plugins = {"privacy": {"noise_multiplier": 1.0, "delta": 1e-3}}
    open_run = tunesmith.train(parse_recipe(job(place, tmp_path / "open", plugins=plugins, train={"max_steps": 2})))
    plugins["privacy"]["secret_file"] = str(secret)  # type: ignore[assignment]
    kept = tunesmith.train(parse_recipe(job(place, tmp_path / "kept", plugins=plugins, train={"max_steps": 2})))
    assert weights(open_run.path) != weights(kept.path)
    card = (kept.path / "model" / "README.md").read_text()
    assert "keep it from whoever gets the model" in card
    assert bytes(range(32)).hex() not in card
    assert "follow from train.seed (0)" in (open_run.path / "model" / "README.md").read_text()


def test_training_in_a_process_of_its_own_says_epsilon_in_card_and_report(tmp_path: Path, forge: Forge) -> None:
    recipe = {
        "task": "text-classification",
        "model": "tunesmith/tiny",
        "method": "head",
        "data": {"train": "dataset:support#train", "test": "dataset:support#test"},
        "train": {"strategy": "privacy/dp", "rows_per_batch": 60, "epochs": 1, "max_steps": 3},
        "plugins": {"privacy": {"epsilon": 3}},
        "output": "run",
    }
    (tmp_path / "job.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    done = forge.tunesmith("train", "job.yaml", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    for text in (card, said, (tmp_path / "run" / "report.html").read_text()):
        assert "differentially private training: epsilon 3.00 at delta 1e-05 (RDP accountant of Opacus" in text
        assert "Poisson sampling at rate 0.2 over 3 steps; one row is the unit" in text
        assert "the choice of the best checkpoint" in text
    stored = Run.open(tmp_path / "run").recipe()
    assert stored.plugins["privacy"]["epsilon"] == 3
    assert stored.plugins["privacy"]["max_grad_norm"] == 1.0, "defaults are written out"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": {"rows_per_batch": None}}, ["batches are counted in rows", "no size of batches"]),
        (
            {"train": {"rows_per_batch": None, "tokens_per_batch": 512}},
            ["batches are counted in rows", "train.tokens_per_batch: 512", "train.rows_per_batch=64"],
        ),
        ({"train": {"rows_per_batch": 500}}, ["more rows than there are", "36 rows to learn from"]),
        ({"plugins": {"privacy": {"delta": 0.1}}}, ["delta is too large", "less than 1 / rows, that is 0.028"]),
        ({"plugins": {"privacy": {"epsilon": 1.0, "noise_multiplier": 1.0}}}, ["exclude each other"]),
        ({"plugins": {"privacy": {"epsylon": 1.0}}}, ["plugins.privacy.epsylon: unknown key", "'epsilon'"]),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    place: Path, tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    text = refusal(place, tmp_path, **changes)
    assert all(word in text for word in words), text


def test_weights_of_sources_are_refused(place: Path, tmp_path: Path) -> None:
    text = refusal(place, tmp_path, data={"weights": {str(place / "rows.jsonl"): 2.0}})
    assert "every row with the same chance" in text
    assert "leave data.weights out" in text


def test_texts_read_in_pieces_are_refused(place: Path, tmp_path: Path) -> None:
    text = refusal(
        place,
        tmp_path,
        task="causal-lm",
        model=str(place / "llama"),
        data={"train": str(place / "long.txt"), "split": {}, "max_length": 32},
    )
    assert "some rows are read in several pieces" in text
    assert "pieces of 1 rows" in text
    assert "data.too_long=skip" in text


def test_layers_that_mix_rows_are_refused_by_name(place: Path) -> None:
    strategy = DifferentiallyPrivate(parse_recipe(job(place, place / "run")))
    with pytest.raises(RecipeError, match="mixes the rows of a batch") as caught:
        strategy.prepare(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert "1, a BatchNorm1d" in str(caught.value)
    frozen = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    frozen[1].requires_grad_(False)  # it keeps its statistics, as the loop sees to
    strategy.prepare(frozen)


def test_a_loss_of_all_rows_together_is_refused(place: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"anchor": f"a {n}", "positive": f"b {n}"}) + "\n" for n in range(12)))
    recipe = job(place, tmp_path / "run", task="embedding", train={"rows_per_batch": 6})
    recipe["data"] = {"train": str(pairs)}
    with pytest.raises(RecipeError, match="one of all rows of a step together") as caught:
        tunesmith.train(parse_recipe(recipe))
    assert "'embedding'" in str(caught.value)


def test_the_division_is_by_the_rows_expected_and_not_by_those_drawn(place: Path) -> None:
    """Else the size of the draw would scale the noise, and say something of who is in it."""
    from tunesmith.registry import get_registry
    from tunesmith.training.prepare import prepare

    recipe = parse_recipe(job(place, place / "run", plugins={"privacy": {"noise_multiplier": 1e-9, "delta": 1e-3}}))
    strategy = DifferentiallyPrivate(recipe)
    work = prepare(recipe, strategy, get_registry())
    work.model.eval()
    strategy.way, strategy._at_once = "plain", 1
    items = work.items["train"]
    moving = [one for one in work.model.parameters() if one.requires_grad]
    single = work.collate([items[0]])
    for times in (1, 3):
        parts = [single] * times
        strategy.backward(work.task, work.model, parts, torch.tensor(float(times)), "fp32", 0)
        made = torch.cat([one.grad.flatten() for one in moving if one.grad is not None])
        work.model.zero_grad(set_to_none=True)
        (work.task.loss(work.model, single)).backward()  # type: ignore[no-untyped-call]
        own = torch.cat([one.grad.flatten() for one in moving if one.grad is not None])
        work.model.zero_grad(set_to_none=True)
        factor = min(1.0, 1.0 / float(own.norm())) * times / 9
        np.testing.assert_allclose(made.numpy(), (own * factor).numpy(), atol=1e-6)
