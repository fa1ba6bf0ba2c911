# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The model that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tunesmith.errors import ModelError

__all__ = ["tiny"]


def tiny() -> Path:
    """The folder of ``tunesmith/tiny``: a small decoder with its tokenizer.

    Raises:
        ModelError: this installation lacks the weights, or lies in an archive.
    """
    resource = files("tunesmith") / "assets" / "tiny"
    if not isinstance(resource, Path) or not (resource / "model.safetensors").is_file():
        raise ModelError(
            "this installation does not hold the weights of tunesmith/tiny",
            given=str(resource),
            expected="a folder with config.json, model.safetensors and tokenizer.json",
            fix="install the tunesmith wheel again: pip install --force-reinstall tunesmith",
        )
    return resource
