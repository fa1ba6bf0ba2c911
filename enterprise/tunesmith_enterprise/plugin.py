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
    Action,
    Allow,
    CommandSpec,
    Deny,
    RequestServed,
    RouteSpec,
    RunFinished,
    RunStarted,
    StrategySpec,
    hookimpl,
)


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
        name="launch", summary="Train on several processes", target="tunesmith_enterprise.commands.launch:app"
    )


@hookimpl
def tunesmith_strategies() -> Iterable[StrategySpec]:
    yield StrategySpec(
        name="ddp",
        summary="Several processes share each step",
        target="tunesmith_enterprise.distributed.strategy:DataParallel",
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
def tunesmith_authorize(action: Action) -> Allow | Deny | None:
    from tunesmith_enterprise.gate import authorize

    return authorize(action)


@hookimpl
def tunesmith_run_started(event: RunStarted) -> None:
    from tunesmith_enterprise.distributed.hooks import run_started

    run_started(event)


@hookimpl
def tunesmith_run_finished(event: RunFinished) -> None:
    from tunesmith_enterprise.governance.hooks import run_finished

    run_finished(event)


@hookimpl
def tunesmith_request_served(event: RequestServed) -> None:
    from tunesmith_enterprise.governance.hooks import request_served

    request_served(event)
