# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama


@pytest.fixture(scope="session")
def llama(tmp_path_factory) -> ModelSource:
    return ModelSource(name="tiny-llama", kind="folder", folder=tiny_llama(tmp_path_factory.mktemp("llama") / "m"))


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> ModelSource:
    return ModelSource(name="tiny-bert", kind="folder", folder=tiny_bert(tmp_path_factory.mktemp("bert") / "m"))


@pytest.fixture(scope="session")
def image_net(tmp_path_factory) -> ModelSource:
    folder = tiny_image_model(tmp_path_factory.mktemp("net") / "m", image_size=(8, 8), channels=3, labels=2)
    return ModelSource(name="tiny-net", kind="folder", folder=folder)


@pytest.fixture
def data():
    """Make a data section: ``data(max_length=8)``."""
    return lambda **keys: DataSection(train=["rows.jsonl"], **keys)
