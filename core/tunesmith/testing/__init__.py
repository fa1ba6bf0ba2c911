# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""For tests, ours and those of plugin authors: models small enough to train in a second.

Importing this package loads neither torch nor transformers; names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.testing.models import tiny_bert, tiny_image_model, tiny_llama, tiny_t5

__all__ = ["tiny_bert", "tiny_image_model", "tiny_llama", "tiny_t5"]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        dict.fromkeys(__all__, "tunesmith.testing.models"),
    )
