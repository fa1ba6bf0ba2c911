# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plugin authors import. Standard library and pluggy only, so that importing it costs nothing."""

from tunesmith.plugin.events import CheckpointSaved, Evaluated, Event, RunFinished, RunNote, RunStarted, StepDone
from tunesmith.plugin.hooks import PROJECT, Hooks, hookimpl
from tunesmith.plugin.specs import (
    AugmentationSpec,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    ExporterSpec,
    MetricSpec,
    ModelSpec,
    ReaderSpec,
    Spec,
    StrategySpec,
    TaskSpec,
)

__all__ = [
    "PROJECT",
    "AugmentationSpec",
    "CheckpointSaved",
    "CommandSpec",
    "DatasetSpec",
    "EngineSpec",
    "Evaluated",
    "Event",
    "ExporterSpec",
    "Hooks",
    "MetricSpec",
    "ModelSpec",
    "ReaderSpec",
    "RunFinished",
    "RunNote",
    "RunStarted",
    "Spec",
    "StepDone",
    "StrategySpec",
    "TaskSpec",
    "hookimpl",
]
