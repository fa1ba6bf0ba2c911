# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answering: the ``Engine`` protocol, the native engines, and ``Model``, a trained model ready for use.

Importing this package loads neither torch nor transformers; the heavy names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names
from tunesmith.engine.answers import Choice, Embeddings, Generation, Predictions, Ranking, Token, TokenScore, Usage
from tunesmith.engine.protocol import Engine, EngineInfo, EngineStats
from tunesmith.engine.requests import (
    Constraint,
    EmbedRequest,
    GenerateRequest,
    Origin,
    PredictRequest,
    RankRequest,
    Sampling,
)
from tunesmith.engine.scheduling import Measure, Queue, Scheduler, Ticket, Times
from tunesmith.engine.stream import Stream

if TYPE_CHECKING:
    from tunesmith.engine.acceleration import Acceleration
    from tunesmith.engine.loading import load
    from tunesmith.engine.model import Model
    from tunesmith.engine.opening import open_engine

__all__ = [
    "Acceleration",
    "Choice",
    "Constraint",
    "EmbedRequest",
    "Embeddings",
    "Engine",
    "EngineInfo",
    "EngineStats",
    "GenerateRequest",
    "Generation",
    "Measure",
    "Model",
    "Origin",
    "PredictRequest",
    "Predictions",
    "Queue",
    "RankRequest",
    "Ranking",
    "Sampling",
    "Scheduler",
    "Stream",
    "Ticket",
    "Times",
    "Token",
    "TokenScore",
    "Usage",
    "load",
    "open_engine",
]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Acceleration": "tunesmith.engine.acceleration",
            "Model": "tunesmith.engine.model",
            "load": "tunesmith.engine.loading",
            "open_engine": "tunesmith.engine.opening",
        },
    )
