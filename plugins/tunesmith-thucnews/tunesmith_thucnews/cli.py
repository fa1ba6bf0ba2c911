# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith thucnews terms``, ``accept`` and ``check``."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith.data.rows import Problem, ReadOptions
from tunesmith.errors import DataError
from tunesmith_thucnews import terms
from tunesmith_thucnews.dataset import FILES, split_rows
from tunesmith_thucnews.folders import SPLITS, is_articles
from tunesmith_thucnews.lines import Tally
from tunesmith_thucnews.titles import title_rows

__all__ = ["app"]

app = typer.Typer(
    help="Terms of the THUCNews collection, and what a copy of it holds.", no_args_is_help=True, rich_markup_mode=None
)
_SHOWN = 20


@app.command("terms")
def show_terms() -> None:
    """Show the terms of the collection."""
    typer.echo(terms.TERMS)
    day = terms.accepted_on()
    typer.echo(f"You accepted them on {day}." if day else "To accept them: tunesmith thucnews accept")


@app.command()
def accept() -> None:
    """Accept the terms, once for this person on this machine."""
    day = terms.accepted_on()
    if day:
        typer.echo(f"You accepted the terms on {day}: {terms.record_file()}")
        return
    typer.echo(terms.TERMS)
    typer.echo(f"Accepted, and noted in {terms.accept()}")


@app.command()
def check(
    copy: Annotated[Path, typer.Argument(help="A folder with a copy, or a file of titles.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Read a copy from end to end: rows of each class and split, what was set right, and every problem.

    Ends with 1 where a row cannot be used.
    """
    terms.require_terms()
    found = [_survey(copy, split) for split in _splits(copy)]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for one in found:
            _print(one)
    if any(one["problems"] for one in found):
        raise typer.Exit(1)


def _splits(copy: Path) -> list[str | None]:
    if copy.is_file():
        return [None]
    if is_articles(copy):
        return list(SPLITS)
    there: list[str | None] = [split for split, name in FILES.items() if (copy / name).is_file()]
    if not there:
        raise DataError(
            f"{copy}: no copy of THUCNews",
            given="a folder without them" if copy.is_dir() else "no such file or folder",
            expected=f"the 14 folders of articles, or {', '.join(FILES.values())} beside class.txt",
        )
    return there


def _survey(copy: Path, split: str | None) -> dict[str, Any]:
    tally, labels, problems, count = Tally(), Counter[str](), [], 0
    for row in title_rows(copy, ReadOptions(), tally) if split is None else split_rows(copy, split, tally):
        if isinstance(row, Problem):
            count += 1
            problems += [str(row)] if count <= _SHOWN else []
        else:
            labels[row.values["label"]] += 1
    return {
        "split": split or copy.name,
        "rows": labels.total(),
        "labels": dict(sorted(labels.items())),
        "counted": dataclasses.asdict(tally),
        "told": tally.sentences(),
        "problems": count,
        "first_problems": problems,
    }


def _print(one: dict[str, Any]) -> None:
    typer.echo(f"{one['split']}: {one['rows']:,} rows")
    for label, count in one["labels"].items():
        typer.echo(f"  {count:>9,}  {label}")
    for sentence in one["told"]:
        typer.echo(f"  {sentence}")
    if one["problems"]:
        typer.echo(f"  {one['problems']:,} {'problem' if one['problems'] == 1 else 'problems'}:")
        for problem in one["first_problems"]:
            typer.echo(f"    {problem}")
        if one["problems"] > len(one["first_problems"]):
            typer.echo(f"    … and {one['problems'] - len(one['first_problems']):,} more")
