# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. Their kind decides what a failure means.

*provide* hooks return specs; they are asked plugin by plugin, and a failure marks that plugin broken
while everything else goes on. *observe* hooks are told what happened; an exception is logged once per
plugin and hook and never stops the job. *gate* hooks may say no to what is about to happen; one that fails says
no as well. No hook is called inside a training or decoding step.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from tunesmith.plugin.events import (
    CheckpointSaved,
    Evaluated,
    MachineCode,
    RequestEnding,
    RequestServed,
    RunFinished,
    RunNote,
    RunStarted,
    StepDone,
)
from tunesmith.plugin.gates import Action, Allow, Deny
from tunesmith.plugin.serving_specs import (
    AccelerationSpec,
    AccessSpec,
    EngineSpec,
    RouteSpec,
    SchedulerSpec,
)
from tunesmith.plugin.specs import (
    AugmentationSpec,
    CommandSpec,
    DatasetSpec,
    ExporterSpec,
    MetricSpec,
    ModelSpec,
    ObjectiveSpec,
    ReaderSpec,
    RecipeSectionSpec,
    ReportSectionSpec,
    StrategySpec,
    TaskSpec,
    TrackerSpec,
    TransformSpec,
)

__all__ = ["PROJECT", "Hooks", "hookimpl"]

PROJECT = "tunesmith"
_hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """All hook specifications. Implement any of them as module-level functions marked ``@hookimpl``."""

    # ---- provide -------------------------------------------------------------------------------

    @_hookspec
    def tunesmith_tasks(self) -> Iterable[TaskSpec]:  # type: ignore[empty-body]
        """Tasks this plugin adds.

        Example::

            @hookimpl
            def tunesmith_tasks():
                return [TaskSpec(name="stance", summary="Agree, disagree, neutral", target="my_plugin.stance:Stance")]
        """

    @_hookspec
    def tunesmith_readers(self) -> Iterable[ReaderSpec]:  # type: ignore[empty-body]
        """File formats this plugin can read.

        Example::

            @hookimpl
            def tunesmith_readers():
                return [ReaderSpec(name="xlsx", summary="Excel", target="my_plugin.xlsx:read", suffixes=(".xlsx",))]
        """

    @_hookspec
    def tunesmith_datasets(self) -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
        """Datasets this plugin brings.

        Example::

            @hookimpl
            def tunesmith_datasets():
                return [DatasetSpec(name="films", summary="Reviews", target="my_plugin.data:films", license="CC0-1.0")]
        """

    @_hookspec
    def tunesmith_models(self) -> Iterable[ModelSpec]:  # type: ignore[empty-body]
        """Models and architectures this plugin brings.

        Example::

            @hookimpl
            def tunesmith_models():
                return [ModelSpec(name="resmlp", summary="Residual", target="my_plugin.resmlp:build", weights=False)]
        """

    @_hookspec
    def tunesmith_strategies(self) -> Iterable[StrategySpec]:  # type: ignore[empty-body]
        """Ways to run a job (``train.strategy``).

        Example::

            @hookimpl
            def tunesmith_strategies():
                return [StrategySpec(name="ddp", summary="Data parallel", target="my_plugin.ddp:Ddp")]
        """

    @_hookspec
    def tunesmith_engines(self) -> Iterable[EngineSpec]:  # type: ignore[empty-body]
        """Engines that answer requests.

        Example::

            @hookimpl
            def tunesmith_engines():
                return [EngineSpec(name="remote", summary="Any compatible URL", target="my_plugin.remote:Remote")]
        """

    @_hookspec
    def tunesmith_accelerations(self) -> Iterable[AccelerationSpec]:  # type: ignore[empty-body]
        """Faster ways to the same answers (``tunesmith serve --accelerate``).

        Example::

            @hookimpl
            def tunesmith_accelerations():
                return [AccelerationSpec(name="echo", summary="Guesses copies", target="my_plugin.echo:Echo")]
        """

    @_hookspec
    def tunesmith_metrics(self) -> Iterable[MetricSpec]:  # type: ignore[empty-body]
        """Figures of generated answers (``evaluate.metrics``).

        Example::

            @hookimpl
            def tunesmith_metrics():
                return [MetricSpec(name="brevity", summary="How short answers are", target="my_plugin.figures:brevity")]
        """

    @_hookspec
    def tunesmith_augmentations(self) -> Iterable[AugmentationSpec]:  # type: ignore[empty-body]
        """Transforms of training rows (``data.augment``).

        Example::

            @hookimpl
            def tunesmith_augmentations():
                return [AugmentationSpec(name="blur", summary="Blur", target="my_plugin.blur:Blur", changes="image")]
        """

    @_hookspec
    def tunesmith_exporters(self) -> Iterable[ExporterSpec]:  # type: ignore[empty-body]
        """Forms in which a model leaves (``tunesmith export --to``).

        Example::

            @hookimpl
            def tunesmith_exporters():
                return [ExporterSpec(name="coreml", summary="For telephones", target="my_plugin.coreml:CoreMl")]
        """

    @_hookspec
    def tunesmith_objectives(self) -> Iterable[ObjectiveSpec]:  # type: ignore[empty-body]
        """Losses that a task may be trained with (``objective``).

        Example::

            @hookimpl
            def tunesmith_objectives():
                tasks = ("preference",)
                return [ObjectiveSpec(name="hinge", summary="Of pairs", target="my_plugin.hinge:Hinge", tasks=tasks)]
        """

    @_hookspec
    def tunesmith_transforms(self) -> Iterable[TransformSpec]:  # type: ignore[empty-body]
        """Changes of rows before a task reads them (``data.transform``).

        Example::

            @hookimpl
            def tunesmith_transforms():
                return [TransformSpec(name="squeeze", summary="One space for many", target="my_plugin.rows:Squeeze")]
        """

    @_hookspec
    def tunesmith_trackers(self) -> Iterable[TrackerSpec]:  # type: ignore[empty-body]
        """Where the figures of a run go beside its folder (``trackers``).

        Example::

            @hookimpl
            def tunesmith_trackers():
                return [TrackerSpec(name="syslog", summary="The system's log", target="my_plugin.syslog:Syslog")]
        """

    @_hookspec
    def tunesmith_report_sections(self) -> Iterable[ReportSectionSpec]:  # type: ignore[empty-body]
        """Parts of a run's report (``evaluate.sections``).

        Example::

            @hookimpl
            def tunesmith_report_sections():
                return [ReportSectionSpec(name="longest", summary="Longest rows", target="my_plugin.rows:Longest")]
        """

    @_hookspec
    def tunesmith_recipe_sections(self) -> Iterable[RecipeSectionSpec]:  # type: ignore[empty-body]
        """The plugin's own settings in a recipe (``plugins.<plugin>``): at most one, named as the plugin.

        Example::

            @hookimpl
            def tunesmith_recipe_sections():
                return [RecipeSectionSpec(name="my-plugin", summary="Its settings", target="my_plugin.settings:Mine")]
        """

    @_hookspec
    def tunesmith_routes(self) -> Iterable[RouteSpec]:  # type: ignore[empty-body]
        """Routes of the server (``tunesmith serve --route``).

        Example::

            @hookimpl
            def tunesmith_routes():
                return [RouteSpec(name="hello", summary="Says hello", target="my_plugin.http:hello", method="GET")]
        """

    @_hookspec
    def tunesmith_access(self) -> Iterable[AccessSpec]:  # type: ignore[empty-body]
        """Who may ask a server (``tunesmith serve --access``).

        Example::

            @hookimpl
            def tunesmith_access():
                return [AccessSpec(name="badge", summary="Whoever has a badge", target="my_plugin.badges:Badges")]
        """

    @_hookspec
    def tunesmith_schedulers(self) -> Iterable[SchedulerSpec]:  # type: ignore[empty-body]
        """In which order engines compute requests (``tunesmith serve --scheduler``).

        Example::

            @hookimpl
            def tunesmith_schedulers():
                return [SchedulerSpec(name="shortest", summary="Short first", target="my_plugin.order:Shortest")]
        """

    @_hookspec
    def tunesmith_commands(self) -> Iterable[CommandSpec]:  # type: ignore[empty-body]
        """Commands this plugin adds to the ``tunesmith`` program.

        Example::

            @hookimpl
            def tunesmith_commands():
                return [CommandSpec(name="label", summary="Label rows by hand", target="my_plugin.cli:app")]
        """

    # ---- observe -------------------------------------------------------------------------------

    @_hookspec
    def tunesmith_run_started(self, event: RunStarted) -> None:
        """A job is about to make its first step.

        Example::

            @hookimpl
            def tunesmith_run_started(event):
                print(event.run, event.total_steps)
        """

    @_hookspec
    def tunesmith_run_note(self, event: RunNote) -> None:
        """Something was counted that people must know (rows truncated, a default chosen).

        Example::

            @hookimpl
            def tunesmith_run_note(event):
                print(event.message)
        """

    @_hookspec
    def tunesmith_step_done(self, event: StepDone) -> None:
        """An optimizer step is done. Called between steps; keep it short.

        Example::

            @hookimpl
            def tunesmith_step_done(event):
                print(event.step, event.loss)
        """

    @_hookspec
    def tunesmith_evaluated(self, event: Evaluated) -> None:
        """A split was evaluated.

        Example::

            @hookimpl
            def tunesmith_evaluated(event):
                print(event.split, dict(event.metrics))
        """

    @_hookspec
    def tunesmith_checkpoint_saved(self, event: CheckpointSaved) -> None:
        """A checkpoint is complete on disk.

        Example::

            @hookimpl
            def tunesmith_checkpoint_saved(event):
                print(event.path)
        """

    @_hookspec
    def tunesmith_run_finished(self, event: RunFinished) -> None:
        """The job ended.

        Example::

            @hookimpl
            def tunesmith_run_finished(event):
                print(event.status, event.metrics)
        """

    @_hookspec
    def tunesmith_machine_code(self, event: MachineCode) -> None:
        """Code for this machine is about to be loaded or compiled; and once more when it is there.

        Example::

            @hookimpl
            def tunesmith_machine_code(event):
                print(event.kind, event.folder, event.ready)
        """

    @_hookspec
    def tunesmith_request_served(self, event: RequestServed) -> None:
        """A server has answered a request. Called in a thread of its own, behind the answer.

        Example::

            @hookimpl
            def tunesmith_request_served(event):
                print(event.route, event.status, event.seconds)
        """

    @_hookspec
    def tunesmith_request_ending(self, event: RequestEnding) -> None:
        """A server is about to send the last byte of an answer. Called in its own thread; the answer waits.

        Once for every request: what is written here is there before anybody has the whole answer, whatever happens to
        the process. For counts that must be exact, and nothing else: be done within a millisecond.

        Example::

            @hookimpl
            def tunesmith_request_ending(event):
                print(event.id, event.route, event.status)
        """

    # ---- gate ----------------------------------------------------------------------------------

    @_hookspec
    def tunesmith_authorize(self, action: Action) -> Allow | Deny | None:
        """Whether something may happen that is about to. ``None`` lets it pass.

        ``Allow(record={…})`` lets it pass as well, and a job writes the record into its run.

        Example::

            @hookimpl
            def tunesmith_authorize(action):
                if action.name == "export":
                    return Deny(reason="models do not leave this machine", fix="ask the owner of the machine")
        """
