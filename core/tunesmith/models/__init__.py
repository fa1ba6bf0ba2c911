# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Find, check, load, make from scratch, adapt, save. safetensors only.

Importing this package loads neither torch nor transformers.
"""

from tunesmith.models.find import find_model, find_model_by_name
from tunesmith.models.images import ImageSettings, image_settings
from tunesmith.models.load import load_weights
from tunesmith.models.methods import apply_method, count_parameters
from tunesmith.models.save import save_model
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.models.tokenizers import load_tokenizer, train_tokenizer

__all__ = [
    "ImageSettings",
    "ModelSource",
    "ScratchOptions",
    "apply_method",
    "count_parameters",
    "find_model",
    "find_model_by_name",
    "image_settings",
    "load_tokenizer",
    "load_weights",
    "save_model",
    "train_tokenizer",
]
