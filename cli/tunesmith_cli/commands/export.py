# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith export`: a model in another form, checked against what it answered before."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def export(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, a model folder, a named model or a hub id.")],
    to: Annotated[
        str, typer.Option("--to", metavar="NAME", help="merged, adapter, gguf, onnx (`tunesmith exporters list`).")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The folder to make.")],
    quantize: Annotated[
        str | None, typer.Option("--quantize", metavar="NAME", help="int8 or int4; else as the weights are stored.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare the export's answers with the model's; else keep it.")
    ] = True,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a model in another form: for transformers and vLLM, llama.cpp and Ollama, or ONNX Runtime.

    Every export is opened again and compared with the run's golden set; export.json in the folder says how it went. An
    export that does not answer as the model does is not kept, and the exit code is 3.
    """
    import tunesmith
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    done = tunesmith.export_model(model, to=to, out=out, quantize=quantize, check=check)
    for note in done.notes:
        screen.note(f"note: {note}")
    if screen.settings.json:
        screen.json(asdict(done) | {"state": done.state})
        return
    words = {True: "holds", False: "FAILS", None: "not checked"}
    if done.findings:
        screen.table(["check", "outcome", "found"], [[one.name, words[one.holds], one.detail] for one in done.findings])
        screen.result()
    facts = {"exported": done.path, "files": ", ".join(done.files), "check": done.state}
    screen.fields(facts | ({"golden rows": done.rows_from} if done.rows_from else {}))
