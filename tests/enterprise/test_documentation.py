# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the pages say of this package, held against it: settings, extras, and the commands that stand on any page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from tunesmith_cli.main import app
from tunesmith_enterprise import plugin
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.settings import KEYS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "enterprise" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = {"", "text", "sh", "shell", "console"}
OF_READERS = {"tunesmith_commands.md", "first-plugin.md"}
"""Their commands are those of a plugin that the reader writes."""
INLINE = re.compile(r"`(tunesmith [a-z][^`|\[…]*)`")


def section(page: str, heading: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_the_settings_page_lists_every_key() -> None:
    table = section("docs/reference/settings.md", "Of the enterprise package")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", table, re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"\w+", row)} == set(KEYS)


def test_the_page_of_commands_names_every_command_of_the_package() -> None:
    table = section("docs/reference/cli.md", "Commands of the enterprise package")
    assert set(re.findall(r"`tunesmith ([a-z-]+)`", table)) == {spec.name for spec in plugin.tunesmith_commands()}


def test_the_readme_names_every_feature_and_every_extra() -> None:
    text = (ROOT / "enterprise" / "README.md").read_text(encoding="utf-8")
    extras = metadata("tunesmith-enterprise").get_all("Provides-Extra") or []
    assert extras
    assert [name for name in (*FEATURES, *extras) if f"`{name}`" not in text] == []


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """Every command line of ``tunesmith``, and whether it is a whole one: of a block, not of a sentence."""
    for kind, body in BLOCK.findall(text):
        for line in re.sub(r"\\\n", " ", body).splitlines() if kind in SHELL else ():
            found = re.match(r"(?:\$ )?(?:ip netns exec \S+ )?(tunesmith [a-z].*)", line)
            if found and "…" not in line:
                yield found[1], True
    for found in INLINE.finditer(BLOCK.sub("", text)):
        yield " ".join(found[1].split()), False


@cache
def program() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def parse(line: str, *, whole: bool) -> None:
    """Read it as the program would, and do nothing.

    Raises:
        typer.TyperException: it has a command, an option or a value that there is not.
    """
    line = re.sub(r"\$\([^)]*\)", "VALUE", line)
    words = shlex.split(re.split(r" (?:[12]?>|\||&|;|<)", line)[0], comments=True)[1:]
    if not whole and words[-1].startswith("--") and words[-1] != "--help":
        words.append("1")  # a sentence may name an option and leave out its value
    command: Any = program()
    context = command.make_context("tunesmith", ["doctor"])
    while isinstance(command, TyperGroup):
        words = words[next((n for n, word in enumerate(words) if not word.startswith("-")), len(words)) :]
        if not words:
            return
        name, command, words = command.resolve_command(context, words)
        context = type(context)(command, parent=context, info_name=name)
    command.parse_args(context, words) if whole else command.make_parser(context).parse_args(words)


def test_every_command_on_a_page_is_one_that_there_is() -> None:
    seen, wrong = set(), []
    for page in PAGES:
        for line, whole in () if page.name in OF_READERS else commands(page.read_text(encoding="utf-8")):
            if line in seen:
                continue
            seen.add(line)
            try:
                parse(line, whole=whole)
            except typer.TyperException as error:
                wrong.append(f"{page.relative_to(ROOT)}: {line}: {error.format_message()}")
    assert wrong == []
    assert len(seen) > 200
