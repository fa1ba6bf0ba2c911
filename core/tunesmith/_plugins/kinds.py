# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which hook is of which kind. A test holds this table against :class:`tunesmith.plugin.Hooks`."""

from __future__ import annotations

from tunesmith.plugin import (
    AccelerationSpec,
    AccessSpec,
    AugmentationSpec,
    CheckpointSaved,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    Evaluated,
    Event,
    ExporterSpec,
    MachineCode,
    MetricSpec,
    ModelSpec,
    ObjectiveSpec,
    ReaderSpec,
    RecipeSectionSpec,
    ReportSectionSpec,
    RequestEnding,
    RequestServed,
    RouteSpec,
    RunFinished,
    RunNote,
    RunStarted,
    SchedulerSpec,
    Spec,
    StepDone,
    StrategySpec,
    TaskSpec,
    TrackerSpec,
    TransformSpec,
)

__all__ = ["AUTHORIZE", "HOOKS", "KINDS", "OBSERVE", "PROVIDE"]

PROVIDE: dict[str, type[Spec]] = {
    "tunesmith_tasks": TaskSpec,
    "tunesmith_readers": ReaderSpec,
    "tunesmith_datasets": DatasetSpec,
    "tunesmith_models": ModelSpec,
    "tunesmith_strategies": StrategySpec,
    "tunesmith_engines": EngineSpec,
    "tunesmith_accelerations": AccelerationSpec,
    "tunesmith_metrics": MetricSpec,
    "tunesmith_augmentations": AugmentationSpec,
    "tunesmith_exporters": ExporterSpec,
    "tunesmith_objectives": ObjectiveSpec,
    "tunesmith_transforms": TransformSpec,
    "tunesmith_trackers": TrackerSpec,
    "tunesmith_report_sections": ReportSectionSpec,
    "tunesmith_recipe_sections": RecipeSectionSpec,
    "tunesmith_routes": RouteSpec,
    "tunesmith_access": AccessSpec,
    "tunesmith_schedulers": SchedulerSpec,
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
    MachineCode: "tunesmith_machine_code",
    RequestServed: "tunesmith_request_served",
    RequestEnding: "tunesmith_request_ending",
}
"""Events and the observe hook each is handed to."""

AUTHORIZE = "tunesmith_authorize"
"""The one gate."""

KINDS: tuple[str, ...] = tuple(spec.kind for spec in PROVIDE.values())
HOOKS: frozenset[str] = frozenset(PROVIDE) | frozenset(OBSERVE.values()) | {AUTHORIZE}
