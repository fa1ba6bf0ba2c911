# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The package's one door: the host imports this module and registers the hooks it implements.

Everything this package adds comes through here, with the hooks of `tunesmith.plugin` that any plugin has, and
nothing else: no patching of the core, no import of its private rooms. The module is in reach of every start of the
program, so it imports nothing but what the host has anyway; what a hook needs is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import (
    AccelerationSpec,
    AccessSpec,
    Action,
    Allow,
    CommandSpec,
    Deny,
    MachineCode,
    ModelSpec,
    ReaderSpec,
    RecipeSectionSpec,
    RequestEnding,
    RequestServed,
    RouteSpec,
    RunFinished,
    RunStarted,
    SchedulerSpec,
    StrategySpec,
    hookimpl,
)

_PROJECTION = "tunesmith_enterprise.distributed.cost.projecting:project"


@hookimpl
def tunesmith_commands() -> Iterable[CommandSpec]:
    yield CommandSpec(
        name="license", summary="Licenses of this installation", target="tunesmith_enterprise.commands.license:app"
    )
    yield CommandSpec(
        name="license-server",
        summary="Lend the seats of a pool at your own site",
        target="tunesmith_enterprise.commands.license_server:app",
    )
    yield CommandSpec(
        name="audit", summary="Check and export audit logs", target="tunesmith_enterprise.governance.commands:app"
    )
    yield CommandSpec(
        name="seal",
        summary="Encrypt models and data where they lie",
        target="tunesmith_enterprise.governance.sealing.commands:app",
    )
    yield CommandSpec(
        name="unseal",
        summary="Open what is encrypted, into another place",
        target="tunesmith_enterprise.governance.sealing.commands:opening",
    )
    yield CommandSpec(
        name="policy",
        summary="What the policy of this machine allows",
        target="tunesmith_enterprise.governance.policy.commands:app",
    )
    yield CommandSpec(
        name="usage",
        summary="What each tenant has used",
        target="tunesmith_enterprise.governance.metering.commands:app",
    )
    yield CommandSpec(
        name="retention",
        summary="Remove runs that are not to be kept",
        target="tunesmith_enterprise.governance.retention.commands:app",
    )
    yield CommandSpec(
        name="access",
        summary="Who may ask a server: roles and keys",
        target="tunesmith_enterprise.governance.access.commands:app",
    )
    yield CommandSpec(
        name="launch", summary="Train on several processes", target="tunesmith_enterprise.commands.launch:app"
    )


@hookimpl
def tunesmith_models() -> Iterable[ModelSpec]:
    yield ModelSpec(
        name="sealed",
        summary="A run or model folder that is encrypted",
        target="tunesmith_enterprise.governance.sealing.opening:open_model",
        weights=True,
        addressed=True,
    )


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    yield ReaderSpec(
        name="sealed",
        summary="Rows that are encrypted: rows.jsonl.sealed",
        target="tunesmith_enterprise.governance.sealing.opening:read_sealed",
        suffixes=(".sealed",),
        private=True,
    )


@hookimpl
def tunesmith_strategies() -> Iterable[StrategySpec]:
    yield StrategySpec(
        name="ddp",
        summary="Several processes share each step",
        target="tunesmith_enterprise.distributed.strategy:DataParallel",
        projection=_PROJECTION,
    )
    yield StrategySpec(
        name="fsdp",
        summary="Several processes share each step, and one copy of the model",
        target="tunesmith_enterprise.distributed.sharded:FullySharded",
        projection=_PROJECTION,
    )
    yield StrategySpec(
        name="hsdp",
        summary="Several processes share each step; those of a machine, a copy of the model",
        target="tunesmith_enterprise.distributed.sharded:HybridSharded",
        projection=_PROJECTION,
    )
    yield StrategySpec(
        name="tp",
        summary="Several processes share each layer",
        target="tunesmith_enterprise.distributed.tensor_parallel:TensorParallel",
        projection=_PROJECTION,
    )
    yield StrategySpec(
        name="overlapped",
        summary="One process, whose checkpoints are written beside the next steps",
        target="tunesmith_enterprise.checkpoints.overlapped:Overlapped",
    )
    yield StrategySpec(
        name="float8",
        summary="One process, whose linear layers multiply in float8 on a GPU",
        target="tunesmith_enterprise.optimizations.float8.strategy:Float8Training",
    )


@hookimpl
def tunesmith_recipe_sections() -> Iterable[RecipeSectionSpec]:
    yield RecipeSectionSpec(
        name="enterprise",
        summary="How the strategies of several processes divide the model",
        target="tunesmith_enterprise.recipe:EnterpriseSection",
    )


@hookimpl
def tunesmith_accelerations() -> Iterable[AccelerationSpec]:
    yield AccelerationSpec(
        name="speculation",
        summary="Several tokens a step: guessed, then verified",
        target="tunesmith_enterprise.optimizations.speculation.acceleration:Speculation",
    )
    yield AccelerationSpec(
        name="compiled-decode",
        summary="Weights of bf16 in 12 bits, and several steps of one answer in one call of machine code",
        target="tunesmith_enterprise.optimizations.chaining.acceleration:CompiledDecode",
    )
    yield AccelerationSpec(
        name="prefix-store",
        summary="Computed beginnings of prompts, kept over restarts",
        target="tunesmith_enterprise.optimizations.prefixes.acceleration:PrefixStore",
    )


@hookimpl
def tunesmith_access() -> Iterable[AccessSpec]:
    yield AccessSpec(
        name="access",
        summary="API keys and single sign-on, with roles",
        target="tunesmith_enterprise.governance.access.serving:open_access",
    )


@hookimpl
def tunesmith_routes() -> Iterable[RouteSpec]:
    yield RouteSpec(
        name="license-metrics",
        summary="When licenses end, for Prometheus",
        target="tunesmith_enterprise.routes:license_metrics",
        method="GET",
    )


@hookimpl
def tunesmith_schedulers() -> Iterable[SchedulerSpec]:
    yield SchedulerSpec(
        name="priority",
        summary="Classes of requests, tenants, quotas and deadlines",
        target="tunesmith_enterprise.priority.scheduler:Priority",
    )


@hookimpl
def tunesmith_authorize(action: Action) -> Allow | Deny | None:
    from tunesmith_enterprise.gate import authorize

    return authorize(action)


@hookimpl
def tunesmith_run_started(event: RunStarted) -> None:
    from tunesmith_enterprise.distributed.hooks import run_started as distributed
    from tunesmith_enterprise.governance.hooks import run_started as governance

    distributed(event)
    governance(event)


@hookimpl
def tunesmith_run_finished(event: RunFinished) -> None:
    from tunesmith_enterprise.governance.hooks import run_finished

    run_finished(event)


@hookimpl
def tunesmith_machine_code(event: MachineCode) -> None:
    from tunesmith_enterprise.optimizations.compile_cache.hooks import machine_code

    machine_code(event)


@hookimpl
def tunesmith_request_ending(event: RequestEnding) -> None:
    from tunesmith_enterprise.governance.hooks import request_ending

    request_ending(event)


@hookimpl
def tunesmith_request_served(event: RequestServed) -> None:
    from tunesmith_enterprise.governance.hooks import request_served

    request_served(event)
