# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith serve`: models behind HTTP, in the manner of OpenAI's API."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Debug, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.serve import AdapterSource

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    ctx: typer.Context,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Runs, model folders, named models or hub ids.")
    ],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="What clients call a model; once for each MODEL, in their order."),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="[MODEL:]NAME=PATH",
            help="An adapter that clients may ask for as MODEL:NAME or NAME. Repeatable.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine it needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="0: any that is free.", min=0, max=65535)] = 8000,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="Who may ask: lines such as `use KEY` or `admin KEY`."),
    ] = None,
    access: Annotated[
        str | None,
        typer.Option("--access", metavar="PLUGIN/NAME", help="A plugin's say in who may ask, in place of keys."),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    weights: Annotated[
        str, typer.Option("--weights", metavar="NAME", help="auto, fp32, bf16, or on a processor fp16 or int8.")
    ] = "auto",
    slots: Annotated[int, typer.Option("--slots", metavar="N", help="Answers of a model at once.", min=1)] = 8,
    context: Annotated[
        int | None, typer.Option("--context", metavar="N", help="Longest prompt and answer together.", min=1)
    ] = None,
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", metavar="N", help="Requests in a model's queue.", min=0)
    ] = 128,
    max_requests: Annotated[int | None, typer.Option("--max-requests", metavar="N", help="Under way at once.")] = None,
    max_connections: Annotated[int | None, typer.Option("--max-connections", metavar="N", help="Open at once.")] = None,
    max_body_bytes: Annotated[int | None, typer.Option("--max-body-bytes", metavar="N", help="Of a request.")] = None,
    max_prompt_chars: Annotated[
        int | None, typer.Option("--max-prompt-chars", metavar="N", help="All texts of a request together.")
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option("--max-new-tokens", metavar="N", help="Longest answer in tokens.")
    ] = None,
    max_choices: Annotated[
        int | None, typer.Option("--max-choices", metavar="N", help="Answers to one request.")
    ] = None,
    max_inputs: Annotated[
        int | None, typer.Option("--max-inputs", metavar="N", help="Texts, rows or documents of a request.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", metavar="S", help="Longest time for an answer, waiting included.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="PLUGIN/NAME", help="A plugin's order in which requests are computed."),
    ] = None,
    drain_seconds: Annotated[
        float, typer.Option("--drain-seconds", metavar="S", help="For answers under way after a signal.", min=0)
    ] = 30.0,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Serve runs without asking their golden rows first.")
    ] = False,
    route: Annotated[
        list[str] | None,
        typer.Option("--route", metavar="PLUGIN/NAME", help="A plugin's route to serve, at /plugins/… Repeatable."),
    ] = None,
    accelerate: Annotated[
        list[str] | None,
        typer.Option(
            "--accelerate", metavar="PLUGIN/NAME", help="A plugin's faster way to the same answers. Repeatable."
        ),
    ] = None,
    no_page: Annotated[bool, typer.Option("--no-page", help="Nothing at `/`.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM; what is under way then is finished first."""
    from tunesmith.serve import check_installed

    check_installed()

    from tunesmith.engine.scheduling import find_scheduler
    from tunesmith.serve import Keys, Limits
    from tunesmith.serve import serve as run
    from tunesmith.serve.callers import check_one
    from tunesmith.serve.parity import check_engine
    from tunesmith.serve.plugins import find_access, find_routes
    from tunesmith.serve.server import check_address
    from tunesmith_cli.engines import check_names, open_engines
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    check_names(models, name)
    given: dict[str, Any] = {
        "requests": max_requests,
        "connections": max_connections,
        "body_bytes": max_body_bytes,
        "prompt_chars": max_prompt_chars,
        "new_tokens": max_new_tokens,
        "choices": max_choices,
        "inputs": max_inputs,
        "request_seconds": max_seconds,
    }
    limits = Limits(**{key: value for key, value in given.items() if value is not None})
    keys = Keys.read(key_file)
    # All of it before models are loaded, which takes a while.
    find_routes(route or [])
    check_one(keys, access)
    asked = find_access(access) if access else None
    check_address(host, keys, asked)
    order = find_scheduler(scheduler) if scheduler else None
    screen = Screen(settings)
    with ExitStack() as stack:
        engines = open_engines(
            stack,
            models,
            name,
            device=device,
            weights=weights,  # the core says which there are
            slots=slots,
            context=context,
            waiting=max_waiting,
            scheduler=order,
            accelerate=accelerate or (),
        )
        for (served, engine), model in zip(engines.items(), models, strict=True):
            findings = [] if no_check else check_engine(engine, Path(model))
            if findings:
                screen.note(f"{served} answers as it was trained to: {'; '.join(one.detail for one in findings)}")
        adapters = [_adapter(text, list(engines)) for text in adapter or []]
        run(
            engines,
            adapters=adapters,
            keys=keys,
            access=asked,
            limits=limits,
            scheduler=order,
            host=host,
            port=port,
            drain_seconds=drain_seconds,
            page=not no_page,
            routes=route or [],
            announce=lambda address: screen.note(f"{', '.join(engines)} at {address}. Ctrl-C ends it."),
        )


def _adapter(text: str, models: list[str]) -> AdapterSource:
    from tunesmith.serve import AdapterSource

    known, equals, path = text.partition("=")
    model, _, name = known.rpartition(":")
    if not (name and equals and path):
        raise typer.BadParameter(f"{text!r} is not NAME=PATH or MODEL:NAME=PATH", param_hint="--adapter")
    if not model and len(models) > 1:
        raise typer.BadParameter(
            f"{text!r} does not say for which model; write MODEL:{text}, MODEL being {' or '.join(models)}",
            param_hint="--adapter",
        )
    return AdapterSource(name, Path(path), model or models[0])
