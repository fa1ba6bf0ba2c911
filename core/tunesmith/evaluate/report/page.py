# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Putting the report together.

Everything that comes from outside (labels, rows, file names, recipes) goes through the template's autoescaping, the
drawings too. The page carries a policy that forbids scripts and any request, so that even a mistake here stays inert.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tunesmith.evaluate.facts import RunFacts, duration, figure_text, read_facts, rows_text
from tunesmith.evaluate.report.charts import number
from tunesmith.evaluate.report.curves import curves
from tunesmith.evaluate.report.matrix import heatmap, most_confused
from tunesmith.evaluate.usage import command_for, python_call
from tunesmith.tasks.sections import Matrix, Section, Table, Text

if TYPE_CHECKING:
    from tunesmith.registry import Registry
    from tunesmith.runs import Run

__all__ = ["page_environment", "render_report", "write_report"]

LONGEST_TEXT = 2000
"""Characters of a cell or passage that are shown; the count of the rest is."""

_PNG = b"\x89PNG\r\n\x1a\n"


def write_report(
    run: Run,
    *,
    sections: Sequence[Section] = (),
    before: Mapping[str, Mapping[str, float]] | None = None,
    registry: Registry | None = None,
) -> Path:
    """Write ``report.html`` into the run folder.

    Args:
        run: read for everything the folder knows: manifest, recipe, metrics.
        sections: what the task shows beside that, in this order.
        before: figures before training, by split. Default: what the run measured at step 0.
        registry: where the task is looked up. Default: the process's registry.

    Returns:
        The file.

    Raises:
        OutputError: the folder cannot be written.
        ValueError: a section is of no known kind, or holds an image that is not a PNG.
    """
    from tunesmith.runs import atomic_write

    page = render_report(run, sections=sections, before=before, registry=registry)
    # A lone surrogate, which JSON can smuggle in, has no UTF-8 form.
    atomic_write(run.report_file, page.encode("utf-8", errors="replace"))
    return run.report_file


def render_report(
    run: Run,
    *,
    sections: Sequence[Section] = (),
    before: Mapping[str, Mapping[str, float]] | None = None,
    registry: Registry | None = None,
) -> str:
    """The report's HTML; see :func:`write_report`."""
    from tunesmith import __version__
    from tunesmith.recipe import dump_recipe

    facts = read_facts(run, before=before, registry=registry)
    loss, small = curves(facts)
    page: str = (
        page_environment()
        .get_template("report.html.j2")
        .render(
            facts=facts,
            loss=loss,
            small=small,
            evaluations=_evaluation_table(facts),
            sections=[_view(section) for section in sections],
            commands=_commands(facts, run.path),
            recipe=dump_recipe(run.recipe()),
            made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
        )
    )
    return page


@cache
def page_environment(*packages: str) -> Environment:
    """What pages are drawn with; ``packages`` have templates of their own beside the report's.

    Made once: compiling the templates takes longer than drawing a page.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "tunesmith.evaluate.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(
        number=number, duration=duration, rows=rows_text, words=lambda name: name.replace("_", " ")
    )
    environment.filters.update(cut=_cut, figure=_figure)
    return environment


def _figure(value: Any, name: str) -> str:
    """A logged metric; a log may hold anything."""
    return figure_text(name, value) if isinstance(value, (int, float)) else str(value)


def _visible(value: Any) -> Any:
    """Control characters of user text as the signs made for showing them; HTML allows them nowhere."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value.translate(_CONTROL)
    return value


_CONTROL = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {13: None, 127: 0x2421}


def _cut(value: Any) -> str:
    text = str(value)
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}… (and {len(text) - LONGEST_TEXT:,} more characters)"


def _view(section: Section) -> dict[str, Any]:
    """A section with what its template needs."""
    if isinstance(section, Matrix):
        return {
            "kind": "matrix",
            "section": section,
            "heatmap": heatmap(section),
            "confused": most_confused(section),
        }
    if isinstance(section, Table):
        return {"kind": "table", "section": section, "images": [_data_uri(image) for image in section.images or ()]}
    if isinstance(section, Text):
        return {"kind": "text", "section": section}
    raise ValueError(
        f"the report cannot draw a {type(section).__name__} ({section.title!r}); "
        "expected Matrix, Table or Text of tunesmith.tasks.sections"
    )


def _data_uri(image: bytes) -> str:
    if not image.startswith(_PNG):
        raise ValueError(f"an image of a report's table must be a PNG, given bytes that begin with {image[:8]!r}")
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")


def _evaluation_table(facts: RunFacts) -> dict[str, Any]:
    """The evaluations in figures: also the curves in words for people who do not see them."""
    rows = [record for record in facts.evaluations if isinstance(record.get("metrics"), Mapping)]
    names = list(dict.fromkeys(name for record in rows for name in record["metrics"]))
    return {"names": names, "rows": rows}


def _commands(facts: RunFacts, path: Path) -> list[tuple[str, str]]:
    """What to type next, with this run's path."""
    place = shlex.quote(str(path))
    return [
        command_for(facts, place),
        ("Score it on other rows", f"tunesmith evaluate {place} --data FILE"),
        ("From Python", f"import tunesmith\nmodel = tunesmith.load({str(path)!r})\n{python_call(facts)}"),
        ("Repeat the run", f"tunesmith train {shlex.quote(str(path / 'recipe.yaml'))} --set output=runs/again"),
    ]
