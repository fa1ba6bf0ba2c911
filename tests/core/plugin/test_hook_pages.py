# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""docs/reference/hooks/: a page a hook. The plugin on each page is loaded, and what it brings is used once."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tunesmith._plugins.host
import tunesmith.registry
from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith._plugins.kinds import AUTHORIZE, HOOKS, OBSERVE, PROVIDE
from tunesmith.plugin import Event, Hooks
from tunesmith.registry import Registry
from tunesmith.testing import tiny_bert

BLOCK = re.compile(r"^```py title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MakeCandidate = Callable[..., Candidate]


def page(root: Path, hook: str) -> str:
    return (root / "docs/reference/hooks" / f"{hook}.md").read_text("utf-8")


def signature(hook: str) -> str:
    whole = inspect.signature(getattr(Hooks, hook))
    return str(whole.replace(parameters=list(whole.parameters.values())[1:])).replace("'", "")


def something(event: type[Event]) -> Event:
    """An event with a value of the right type in every field."""
    values = {"str": "something", "int": 3, "float": 0.5, "bool": True}
    return event(**{field.name: values.get(str(field.type), {"a": "b"}) for field in dataclasses.fields(event)})


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("model") / "bert")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder from which modules are imported; those are forgotten again."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("demo_"):
            del sys.modules[name]


@pytest.fixture
def load(root: Path, place: Path, candidate: MakeCandidate, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Host]:
    """Writes the files of a page and makes its plugin the only one of this process."""

    def loaded(hook: str) -> Host:
        for name, body in BLOCK.findall(page(root, hook)):
            (place / name).write_text(body, "utf-8")
        importlib.invalidate_caches()
        host = Host([candidate("demo", load=lambda: importlib.import_module("demo_plugin"))], environ={})
        monkeypatch.setattr(tunesmith._plugins.host, "_host", host)
        monkeypatch.setattr(tunesmith.registry, "_registry", Registry(host))
        assert [record.reason for record in host.records] == ["", ""]
        return host

    return loaded


def test_every_hook_has_a_page_and_every_page_a_hook(root: Path) -> None:
    assert {path.stem for path in (root / "docs/reference/hooks").glob("*.md")} == HOOKS


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_page_has_signature_summary_kind_and_what_a_failure_means(root: Path, hook: str) -> None:
    text = page(root, hook)
    summary = (inspect.getdoc(getattr(Hooks, hook)) or "").splitlines()[0].replace("``", "`")
    kind = "provide" if hook in PROVIDE else "gate" if hook == AUTHORIZE else "observe"

    assert f"# {hook}\n\n```\n{hook}{signature(hook)}\n```\n" in text
    assert f"{summary} Kind: [*{kind}*](../hooks.md#{kind})." in text
    for heading in ("**When.** ", "**A failure.** ", "**To use it**"):
        assert heading in text


@pytest.mark.parametrize("hook", [*PROVIDE, AUTHORIZE])
def test_the_plugin_of_a_page_does_what_the_page_says(
    root: Path, place: Path, bert: Path, load: Callable[[str], Host], hook: str
) -> None:
    """Every ``use.py`` ends with an ``assert``."""
    (place / "bert").symlink_to(bert)
    rows = "".join(f"apple {n},fruit\niron {n},metal\n" for n in range(8))
    (place / "rows.csv").write_text("text,label\n" + rows, "utf-8")
    host = load(hook)
    code = (place / "use.py").read_text("utf-8")

    assert hook == AUTHORIZE or host.specs(PROVIDE[hook].kind)[-1].plugin == "demo"
    assert "assert " in code
    exec(compile(code, "use.py", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("event", "hook"), OBSERVE.items())
def test_the_observer_of_a_page_hears_its_event(
    load: Callable[[str], Host], capsys: pytest.CaptureFixture[str], event: type[Event], hook: str
) -> None:
    host = load(hook)

    host.notify(something(event))

    assert capsys.readouterr().out.strip()
