# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The models for tests are small, whole, and the same every time."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tunesmith.testing
from tunesmith.models import find_model_by_name, load_weights
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama, tiny_t5


def test_public_names() -> None:
    assert tunesmith.testing.__all__ == [
        "ConformanceError",
        "FakeHub",
        "Finding",
        "HookCall",
        "HookRecorder",
        "Report",
        "WentOnlineError",
        "check_dataset",
        "check_plugin",
        "check_task",
        "no_network",
        "plugin_checks",
        "plugin_installed",
        "tiny_bert",
        "tiny_image_model",
        "tiny_llama",
        "tiny_t5",
    ]
    with pytest.raises(AttributeError, match="no attribute 'tiny_whale'"):
        _ = tunesmith.testing.tiny_whale


@pytest.mark.parametrize("make", [tiny_llama, tiny_bert, tiny_image_model, tiny_t5])
def test_small_whole_and_seeded(make: Callable[..., Path], tmp_path: Path) -> None:
    one, two, other = make(tmp_path / "1"), make(tmp_path / "2"), make(tmp_path / "3", seed=1)
    assert sum(file.stat().st_size for file in one.iterdir()) < 200_000
    digests = [find_model_by_name(str(folder), get_registry()).digest for folder in (one, two, other)]
    assert digests[0] == digests[1] != digests[2]


def test_an_image_model_as_asked(tmp_path: Path) -> None:
    folder = tiny_image_model(tmp_path / "m", image_size=(10, 12), channels=3, labels=5, architecture="cnn")
    model = load_weights(find_model_by_name(str(folder), get_registry()), "image-classification")
    assert (model.config.image_size, model.config.num_channels, model.config.num_labels) == ([10, 12], 3, 5)


def test_importing_is_light() -> None:
    heavy = "{'torch', 'transformers', 'peft'}"
    code = f"import sys, tunesmith.testing, tunesmith.models; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
