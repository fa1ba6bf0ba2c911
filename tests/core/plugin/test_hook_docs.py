# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""docs/reference/hooks.md and the docstrings of the hooks, held against the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tunesmith import plugin
from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith._plugins.kinds import HOOKS, OBSERVE, PROVIDE
from tunesmith.plugin import Event, Hooks, Spec

MakeCandidate = Callable[..., Candidate]

FACTS: dict[str, object] = {
    "run": "runs/a",
    "recipe": {"task": "chat"},
    "total_steps": 8,
    "message": "3 rows truncated",
    "step": 4,
    "epoch": 0.5,
    "loss": 1.25,
    "learning_rate": 1e-4,
    "grad_norm": 0.5,
    "tokens": 512,
    "seconds": 2.0,
    "split": "validation",
    "metrics": {"accuracy": 0.5},
    "best": True,
    "path": "runs/a/checkpoints/step-00000004",
    "status": "finished",
    "steps": 8,
}


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/reference/hooks.md").read_text("utf-8")


def section(page: str, hook: str) -> str:
    found = re.search(rf"^### {hook}\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/hooks.md has no section '### {hook}'"
    return found[1]


def signature(hook: str) -> str:
    whole = inspect.signature(getattr(Hooks, hook))
    return str(whole.replace(parameters=list(whole.parameters.values())[1:])).replace("'", "")


def example(hook: str) -> str:
    _, found, code = inspect.getdoc(getattr(Hooks, hook)).partition("Example::\n\n")  # type: ignore[union-attr]
    assert found, f"the docstring of {hook} has no example"
    return textwrap.dedent(code).strip()


def as_candidate(candidate: MakeCandidate, hook: str) -> Candidate:
    """The docstring's example as an author would paste it: after one import, in a module."""
    module = ModuleType("tunesmith_demo")
    vars(module).update({name: getattr(plugin, name) for name in plugin.__all__})
    exec(compile(example(hook), f"<example of {hook}>", "exec"), vars(module))
    return candidate(load=lambda: module)


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_the_page_has_every_hook_with_its_signature_and_example(page: str, hook: str) -> None:
    text = section(page, hook)

    assert f"```\n{hook}{signature(hook)}\n```" in text
    assert f"```python\n{example(hook)}\n```" in text


def test_the_page_has_no_other_hook(page: str) -> None:
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == HOOKS


def test_hooks_stand_under_their_kind(page: str) -> None:
    provide, observe = page.split("\n## Provide\n")[1].split("\n## Specs and events\n")[0].split("\n## Observe\n")

    assert re.findall(r"^### (\w+)$", provide, re.MULTILINE) == list(PROVIDE)
    assert re.findall(r"^### (\w+)$", observe, re.MULTILINE) == list(OBSERVE.values())


@pytest.mark.parametrize("described", [*PROVIDE.values(), *OBSERVE], ids=lambda described: described.__name__)
def test_the_page_lists_every_field(page: str, described: type[Spec] | type[Event]) -> None:
    (row,) = re.findall(rf"^\| `{described.__name__}` \|(.*)\|$", page, re.MULTILINE)
    base = Spec if issubclass(described, Spec) else Event
    common = {field.name for field in dataclasses.fields(base)}
    expected = []
    for field in dataclasses.fields(described):
        if field.name not in common:
            default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            default = default if field.default_factory is dataclasses.MISSING else f" = {field.default_factory()!r}"
            expected.append(f"{field.name}: {field.type}{default}")

    assert re.findall(r"`([^`]*)`", row.replace("\\|", "|")) == expected


@pytest.mark.parametrize(("hook", "spec"), PROVIDE.items())
def test_the_example_of_a_provide_hook_provides(candidate: MakeCandidate, hook: str, spec: type[Spec]) -> None:
    host = Host([as_candidate(candidate, hook)], environ={})

    assert [record.reason for record in host.records] == ["", ""]
    (one,) = [one.spec for one in host.specs(spec.kind) if one.plugin == "demo"]
    assert type(one) is spec


@pytest.mark.parametrize(("event", "hook"), OBSERVE.items())
def test_the_example_of_an_observe_hook_observes(
    candidate: MakeCandidate, capsys: pytest.CaptureFixture[str], event: type[Event], hook: str
) -> None:
    host = Host([as_candidate(candidate, hook)], environ={})
    facts = {field.name: FACTS[field.name] for field in dataclasses.fields(event) if field.name in FACTS}

    host.notify(event(**facts))

    printed = re.findall(r"event\.(\w+)", example(hook))
    assert capsys.readouterr().out == " ".join(str(FACTS[name]) for name in printed) + "\n"
