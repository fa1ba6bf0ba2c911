# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which hook is of which kind. A test holds this table against :class:`tunesmith.plugin.Hooks`."""

from __future__ import annotations

from tunesmith.plugin import (
    AugmentationSpec,
    CheckpointSaved,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    Evaluated,
    Event,
    ExporterSpec,
    MetricSpec,
    ModelSpec,
    ReaderSpec,
    RunFinished,
    RunNote,
    RunStarted,
    Spec,
    StepDone,
    StrategySpec,
    TaskSpec,
)

__all__ = ["HOOKS", "KINDS", "OBSERVE", "PROVIDE"]

PROVIDE: dict[str, type[Spec]] = {
    "tunesmith_tasks": TaskSpec,
    "tunesmith_readers": ReaderSpec,
    "tunesmith_datasets": DatasetSpec,
    "tunesmith_models": ModelSpec,
    "tunesmith_strategies": StrategySpec,
    "tunesmith_engines": EngineSpec,
    "tunesmith_metrics": MetricSpec,
    "tunesmith_augmentations": AugmentationSpec,
    "tunesmith_exporters": ExporterSpec,
    "tunesmith_commands": CommandSpec,
}
"""Provide hooks and the spec each must return."""

OBSERVE: dict[type[Event], str] = {
    RunStarted: "tunesmith_run_started",
    RunNote: "tunesmith_run_note",
    StepDone: "tunesmith_step_done",
    Evaluated: "tunesmith_evaluated",
    CheckpointSaved: "tunesmith_checkpoint_saved",
    RunFinished: "tunesmith_run_finished",
}
"""Events and the observe hook each is handed to."""

KINDS: tuple[str, ...] = tuple(spec.kind for spec in PROVIDE.values())
HOOKS: frozenset[str] = frozenset(PROVIDE) | frozenset(OBSERVE.values())
