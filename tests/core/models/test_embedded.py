# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith/tiny`` is in the package, or the message says how to get it back."""

from pathlib import Path

import pytest

import tunesmith.models.embedded as embedded
from tunesmith.errors import ModelError
from tunesmith.models import find_model_by_name
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_llama


def test_found_by_both_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_llama(tmp_path / "assets" / "tiny")
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    for name in ("tunesmith/tiny", "tiny"):
        source = find_model_by_name(name, get_registry())
        assert (source.name, source.kind, source.folder) == (name, "folder", tmp_path / "assets" / "tiny")


def test_an_installation_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="does not hold the weights of tunesmith/tiny") as caught:
        embedded.tiny()
    assert "pip install --force-reinstall tunesmith" in str(caught.value)
