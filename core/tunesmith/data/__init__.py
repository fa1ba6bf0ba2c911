# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Data: readers, columns, conversations, validation by row, splits, batches by token budget.

Importing this package loads no reader's library; they come with the first file that needs them. ``RowTransform``, which
needs pydantic, comes on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names
from tunesmith.data.batches import batch_order, padding_share, split_batch
from tunesmith.data.cache import cache_entries, cache_folder, clear_cache
from tunesmith.data.columns import apply_columns, bind_columns, map_columns
from tunesmith.data.conversations import CONVERSATION_COLUMNS, Message, conversation, shape
from tunesmith.data.examples import Splits, read_examples, read_split
from tunesmith.data.facts import FileFact
from tunesmith.data.rows import Column, Origin, Problem, ReadOptions, Row, RowError
from tunesmith.data.sources import read_rows

if TYPE_CHECKING:
    from tunesmith.data.transforms import RowTransform

__all__ = [
    "CONVERSATION_COLUMNS",
    "Column",
    "FileFact",
    "Message",
    "Origin",
    "Problem",
    "ReadOptions",
    "Row",
    "RowError",
    "RowTransform",
    "Splits",
    "apply_columns",
    "batch_order",
    "bind_columns",
    "cache_entries",
    "cache_folder",
    "clear_cache",
    "conversation",
    "map_columns",
    "padding_share",
    "read_examples",
    "read_rows",
    "read_split",
    "shape",
    "split_batch",
]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(__name__, {"RowTransform": "tunesmith.data.transforms"})
