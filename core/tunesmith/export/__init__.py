# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A model in another form: merged, as an adapter, as GGUF or ONNX; each checked against what it answered before.

Importing this package loads neither torch nor transformers; the names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.export.exporting import Export, Exporter, export_model
    from tunesmith.export.parity import Finding, compare_golden
    from tunesmith.export.subject import Subject

__all__ = ["Export", "Exporter", "Finding", "Subject", "compare_golden", "export_model"]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Export": "tunesmith.export.exporting",
            "Exporter": "tunesmith.export.exporting",
            "Finding": "tunesmith.export.parity",
            "Subject": "tunesmith.export.subject",
            "compare_golden": "tunesmith.export.parity",
            "export_model": "tunesmith.export.exporting",
        },
    )
