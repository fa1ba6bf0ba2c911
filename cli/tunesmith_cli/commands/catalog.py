# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith tasks list` and its like: what is registered, without importing any of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from tunesmith_cli.settings import Debug, Json, Settings

if TYPE_CHECKING:
    from tunesmith._plugins import Provided

__all__ = [
    "augmentations",
    "datasets",
    "exporters",
    "metrics",
    "models",
    "objectives",
    "readers",
    "tasks",
    "trackers",
    "transforms",
]


def _catalog(
    kind: str,
    summary: str,
    extra: dict[str, Callable[[Any], object]],
    use: Callable[[Any, str], str] = lambda spec, name: name,
) -> typer.Typer:
    """A command family with ``list``, which is also what runs when nothing is said.

    Args:
        kind: of the registry.
        summary: its help.
        extra: more columns: heading to a function of the spec.
        use: a spec and its name, short for built-ins and full for others, as a recipe writes it.
    """
    app = typer.Typer(rich_markup_mode=None)

    @app.callback(invoke_without_command=True, help=summary)
    def family(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None:
            show(ctx)

    @app.command("list", help=summary)
    def list_(ctx: typer.Context, json: Json = False, debug: Debug = False) -> None:
        show(ctx)

    def show(ctx: typer.Context) -> None:
        from tunesmith.registry import get_registry
        from tunesmith_cli.root import broken_plugins
        from tunesmith_cli.screen import Screen

        settings = ctx.find_object(Settings) or Settings()
        screen = Screen(settings)
        provided = get_registry().all(kind)
        if settings.json:
            screen.json([_facts(item, extra) | {"use": use(item.spec, _name(item))} for item in provided])
        else:
            screen.table(
                ["name", *extra, "summary"],
                [
                    [use(item.spec, _name(item)), *(value(item.spec) for value in extra.values()), item.spec.summary]
                    for item in provided
                ],
            )
        for name, reason in broken_plugins().items():
            screen.note(f"note: the plugin {name} is not usable ({reason}); what it provides is missing here")

    return app


def _name(item: Provided) -> str:
    return item.spec.name if item.plugin == "tunesmith" else item.full_name


def _facts(item: Provided, extra: dict[str, Callable[[Any], object]]) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": item.spec.name,
        "full_name": item.full_name,
        "summary": item.spec.summary,
        "plugin": item.plugin,
        "distribution": item.distribution,
        "version": item.version,
    }
    return facts | {name: value(item.spec) for name, value in extra.items()}


def _model_use(spec: Any, name: str) -> str:
    if not spec.weights:
        return f"scratch:{name}"
    known = name if "/" in name else f"tunesmith/{name}"
    return f"{known}:ADDRESS" if spec.addressed else known


tasks = _catalog("task", "What a model can be taught.", {})
datasets = _catalog(
    "dataset",
    "Datasets that come by name; used as dataset:NAME#SPLIT.",
    {
        "splits": lambda spec: ", ".join(spec.splits),
        "task": lambda spec: spec.task or "",
        "license": lambda spec: spec.license,
    },
    use=lambda spec, name: f"dataset:{name}",
)
models = _catalog(
    "model",
    "Models that come by name, and architectures to start from scratch (scratch:NAME or scratch:NAME-SIZE).",
    {"license": lambda spec: spec.license or ""},
    use=_model_use,
)
metrics = _catalog(
    "metric",
    "Figures of generated answers (evaluate.metrics).",
    {
        "better": lambda spec: "greater" if spec.greater_is_better else "smaller",
        "tasks": lambda spec: ", ".join(spec.tasks) or "all that write answers",
    },
)
augmentations = _catalog(
    "augmentation", "Random changes of training rows (data.augment).", {"changes": lambda spec: spec.changes}
)
objectives = _catalog(
    "objective", "What a task may minimize (objective).", {"tasks": lambda spec: ", ".join(spec.tasks)}
)
transforms = _catalog("transform", "Changes of rows before a task reads them (data.transform).", {})
trackers = _catalog("tracker", "Where the figures of a run go beside its folder (trackers).", {})
exporters = _catalog(
    "exporter",
    "Forms in which a model leaves (`tunesmith export --to`).",
    {
        "tasks": lambda spec: ", ".join(spec.tasks) or "all",
        "quantize": lambda spec: ", ".join(spec.quantize),
    },
)
readers = _catalog(
    "reader", "File formats that can be read.", {"endings": lambda spec: " ".join(spec.suffixes) or "(by name)"}
)
