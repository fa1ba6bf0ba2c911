# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A new plugin from the template in ``assets/plugin_template``: a name and parts in, files out.

The template's Python files are Python as they stand: what differs between plugins is a name that is exchanged as a word
(``tunesmith_example``), or stands in a text (``<< name >>``). Only files whose lines come and go with the parts are
templates of Jinja, and end in ``.jinja``. What is written belongs to whoever asked for it: their name stands in it.
"""

from __future__ import annotations

import difflib
import importlib.util
import keyword
import re
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from tunesmith._plugins.discover import BUILTIN
from tunesmith._plugins.records import PluginRecord
from tunesmith._plugins.scaffold_parts import DEFAULT, PARTS
from tunesmith.errors import NotFoundError, OutputError, PluginError
from tunesmith.plugin.specs import NAME_FORM

__all__ = ["LONGEST_NAME", "Names", "choose_parts", "next_commands", "plugin_names", "project_files", "write_project"]

LONGEST_NAME = 40
"""Characters of a plugin's name: it stands in file names, in full names of what it brings, and in lines of code."""

_HOLDER = "2026 The Tunesmith authors"  # of the template's files; those written from them have another
_PACKAGE, _DISTRIBUTION = "tunesmith_example", "tunesmith-example"
_ALWAYS = {
    "pyproject.toml": "pyproject.toml.jinja",
    "README.md": "README.md.jinja",
    "LICENSE": "LICENSE.jinja",
    "CHANGELOG.md": "CHANGELOG.md.jinja",
    ".gitignore": "gitignore.jinja",
    ".github/workflows/test.yml": "workflow.yml.jinja",
    "tests/test_plugin.py": "test_plugin.py",
    f"{_PACKAGE}/__init__.py": "package/__init__.py",
    f"{_PACKAGE}/plugin.py": "package/plugin.py.jinja",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a plugin is called in each place.

    Attributes:
        plugin: of its entry point, and the first half of its full names, e.g. ``film-stars``.
        distribution: what pip installs, e.g. ``tunesmith-film-stars``.
        package: what Python imports, e.g. ``tunesmith_film_stars``.
    """

    plugin: str
    distribution: str
    package: str


def plugin_names(name: str, records: Iterable[PluginRecord] = (), *, commands: Iterable[str] = ()) -> Names:
    """The names of a new plugin.

    Args:
        name: as it was asked for.
        records: the plugins that are here.
        commands: names that its command may not have; none where it brings no command.

    Raises:
        PluginError: it cannot be called that.
    """
    if not NAME_FORM.match(name) or len(name) > LONGEST_NAME:
        near = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:LONGEST_NAME].strip("._-")
        near = re.sub(r"[._-]*([._-])", r"\1", near)
        raise PluginError(
            "a plugin cannot have this name",
            given=repr(name),
            expected=f"lower-case letters and digits, with '-', '_' or '.' between them; {LONGEST_NAME} at most",
            fix=f"call it {near}" if near else "choose a name such as film-stars",
        )
    # One form for all: pip takes these three characters for one and the same, and so do people.
    names = Names(name, "tunesmith-" + re.sub("[._]", "-", name), "tunesmith_" + re.sub("[.-]", "_", name))
    taken = _taken(names, records, commands)
    if taken:
        raise PluginError(
            f"the name {name!r} is taken: {taken}",
            given=name,
            expected="a name that nothing else has",
            fix=f"choose another one, e.g. my-{name}" if len(name) + 3 <= LONGEST_NAME else "choose another one",
        )
    return names


def choose_parts(asked: Iterable[str]) -> tuple[str, ...]:
    """Words after ``--with``, each once, in the order of the template; the usual ones if there are none.

    Raises:
        NotFoundError: the template has nothing of that kind.
    """
    wanted = [word.strip().lower().replace("-", "_") for word in asked]
    for word in wanted:
        if word not in PARTS:
            near = difflib.get_close_matches(word, PARTS, n=1)
            raise NotFoundError(
                "the template has nothing of this kind",
                given=word,
                expected=", ".join(PARTS),
                fix=[f"did you mean --with {near[0]}?"] if near else ["everything else is in the reference of hooks"],
            )
    return tuple(part for part in PARTS if part in (wanted or DEFAULT))


def project_files(names: Names, parts: Iterable[str], *, version: str, year: int) -> dict[str, str]:
    """Every file of the project: its path in there, with ``/``, and its text.

    Args:
        parts: as :func:`choose_parts` gives them.
        version: of the Tunesmith that the plugin is made for.
        year: of the copyright.
    """
    parts = tuple(parts)
    sources = dict(_ALWAYS)
    for part in parts:
        for file in (f"{PARTS[part].module}.py", *PARTS[part].beside):
            sources[f"{_PACKAGE}/{file}"] = f"package/{file}"
    words = _words(names, parts, version, year)
    written = {_own(path, names): _fill(_template(source), words, names) for path, source in sources.items()}
    written[f"{names.package}/py.typed"] = ""
    return dict(sorted(written.items()))


def next_commands(names: Names, parts: Iterable[str], folder: Path) -> list[str]:
    """What to type to install the plugin, to see it, to try it and to test it."""
    where = str(folder) if folder.is_absolute() else f"./{folder.as_posix()}"
    words = _words(names, tuple(parts), "0", 0)
    tried = _fill("\n".join(PARTS["dataset"].uses[1:]), words, names) if "dataset" in parts else ""
    install = "pip install -e " + shlex.quote(f"{where}[test]")
    commands = [install, f"tunesmith plugins doctor {names.plugin}", tried.replace("\\\n    ", "")]
    return [*filter(None, commands), f"pytest {shlex.quote(where)}"]


def write_project(written: Mapping[str, str], folder: Path) -> None:
    """Write the files into a folder that is new or empty: all of them, or none.

    Raises:
        OutputError: the folder holds something, or cannot be written; then nothing was made.
    """
    _refuse_filled(folder)
    made = [parent for parent in folder.parents if not parent.exists()]
    # Beside the folder, hence on the same disk: renaming is one step, and before it nobody sees a half-written plugin.
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        draft.mkdir(parents=True)
        for path, text in written.items():
            file = draft / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        if folder.is_dir():
            folder.rmdir()  # it is empty; Windows does not rename onto a folder
        draft.rename(folder)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        if not isinstance(error, OSError):
            raise
        raise OutputError(
            f"the plugin cannot be written: {error.strerror or error}",
            given=folder,
            expected="a folder on a disk with room, that you may write to",
            fix="choose another place: --out FOLDER; nothing was left behind",
        ) from error


def _taken(names: Names, records: Iterable[PluginRecord], commands: Iterable[str]) -> str:
    """Who has the name; empty when nobody has."""
    name = names.plugin
    if name == BUILTIN:
        return "it is that of the built-ins"
    if keyword.iskeyword(name):
        return "it is a word of the Python language"
    if name in sys.stdlib_module_names:
        return "it is a module of Python's standard library"
    for record in records:
        if record.name == name:
            return f"the plugin of {record.distribution} {record.version}".rstrip() + " is called that"
    with suppress(PackageNotFoundError):
        return f"{names.distribution} {distribution(names.distribution).version} is installed"
    if importlib.util.find_spec(names.package) is not None:
        return f"a module called {names.package} can be imported already"
    if name in commands:
        return f"`tunesmith {name}` is a command already"
    return ""


def _words(names: Names, parts: tuple[str, ...], version: str, year: int) -> dict[str, object]:
    """What the template may name."""
    name = names.plugin
    rated = "task" in parts
    words: dict[str, object] = {
        "name": name,
        "key": name if re.fullmatch(r"[a-z0-9_-]+", name) else f'"{name}"',  # a dot would make a table of it
        "title": re.sub("[._-]+", " ", name).capitalize(),
        "suffix": name,
        "distribution": names.distribution,
        "authors": f"The {names.distribution} authors",
        "year": year,
        # Without a task of its own, the dataset is one for classifying texts, with the column that this reads.
        "task": name if rated else "text-classification",
        "column": "rating" if rated else "label",
        "kinds": parts,
        "things": PARTS,
        "requirement": _requirement(version),
        "needs": sorted({need for part in parts for need in PARTS[part].needs}),
        "imports": _imports([PARTS[part].spec for part in parts]),
    }
    return words | {"uses": {part: [_jinja(line, words) for line in PARTS[part].uses] for part in parts}}


def _requirement(version: str) -> str:
    """``0.3.2`` gives ``tunesmith>=0.3,<0.4``: until 1.0 every second number may change what a plugin stands on."""
    major, minor = [*(int(number) for number in re.findall(r"\d+", version)), 0][:2]
    return f"tunesmith>={major}.{minor},<" + (f"{major + 1}" if major else f"0.{minor + 1}")


def _imports(specs: Iterable[str]) -> str:
    """The import of plugin.py, as ruff would write it."""
    wanted = [*sorted(specs), "hookimpl"]
    line = f"from tunesmith.plugin import {', '.join(wanted)}"
    if len(line) <= 120:
        return line
    return "\n".join(["from tunesmith.plugin import (", *(f"    {one}," for one in wanted), ")"])


def _template(source: str) -> str:
    # A resource, not a path: the package may lie in an archive.
    return (files("tunesmith") / "assets" / "plugin_template").joinpath(*source.split("/")).read_text("utf-8")


def _fill(text: str, words: Mapping[str, object], names: Names) -> str:
    return _own(_jinja(text, words), names).replace(_HOLDER, f"{words['year']} {words['authors']}")


def _own(text: str, names: Names) -> str:
    return text.replace(_PACKAGE, names.package).replace(_DISTRIBUTION, names.distribution)


def _jinja(text: str, words: Mapping[str, object]) -> str:
    import jinja2

    # Signs that the files of a plugin do not hold themselves: `${{ }}` is a workflow's, `{%` may be Markdown's.
    environment = jinja2.Environment(
        variable_start_string="<< ",
        variable_end_string=" >>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.from_string(text).render(words)


def _refuse_filled(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} is there and is no folder", given=folder, fix="choose another one: --out FOLDER")
    try:
        held = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be looked into: {error.strerror}", given=folder, fix="choose another one: --out FOLDER"
        ) from error
    if held:
        raise OutputError(
            f"{folder} is not empty, and nothing is overwritten",
            given=", ".join(held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else ""),
            expected="a folder that is empty or not there",
            fix="choose another one: --out FOLDER",
        )
