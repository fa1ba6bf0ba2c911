# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Pictures in folders, from the command line: train, score, ask about one file or a folder of them."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tunesmith_cli.main import main

COLORS = {"red": (200, 30, 30), "green": (30, 200, 30)}


def tunesmith(*args: object) -> str:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(arg) for arg in args])
    assert code == 0, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of all sizes, one of them large enough to be a photograph, and a run over them."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for label, color in COLORS.items():
        (folder / "train" / label).mkdir(parents=True)
        for number in range(6):
            height, width = random.integers(12, 40, 2) if number else (400, 300)
            pixels = np.clip(np.array(color) + random.integers(-30, 30, (height, width, 3)), 0, 255)
            kind = "jpg" if number % 2 else "png"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "train" / label / f"{number}.{kind}")
    flags = ["--task", "image-classification", "--model", "scratch:mlp", "--train", folder / "train"]
    steps = ["--set", "train.epochs=8", "--set", "train.learning_rate=1e-3", "--set", "evaluate.before=false"]
    tunesmith("train", *flags, *steps, "--out", folder / "run", "--quiet")
    return folder


def test_a_file_is_answered(pets: Path) -> None:
    file = pets / "train" / "red" / "1.jpg"
    answer = json.loads(tunesmith("predict", pets / "run", file))
    assert (answer["image"], answer["label"]) == (str(file), "red")
    assert set(answer["probabilities"]) == set(COLORS)


def test_answers_to_a_folder_name_their_files(pets: Path) -> None:
    answers = [json.loads(line) for line in tunesmith("predict", pets / "run", pets / "train").splitlines()]
    assert len(answers) == 12
    assert all(Path(answer["image"]).parent.name == answer["label"] for answer in answers)


def test_a_pattern_is_enough_to_predict(pets: Path) -> None:
    assert len(tunesmith("predict", pets / "run", pets / "train" / "*" / "*.png").splitlines()) == 6


def test_a_folder_is_scored(pets: Path) -> None:
    scored = json.loads(tunesmith("evaluate", pets / "run", "--data", pets / "train", "--json"))
    assert (scored["rows"], scored["metrics"]["accuracy"]) == (12, 1.0)
