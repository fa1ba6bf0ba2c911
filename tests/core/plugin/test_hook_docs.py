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
from tunesmith._plugins.kinds import AUTHORIZE, HOOKS, OBSERVE, PROVIDE
from tunesmith.errors import DeniedError
from tunesmith.plugin import ACTIONS, Action, Allow, Deny, Event, Hooks, RunEvent, Spec

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
    "id": "request-1",
    "method": "POST",
    "route": "/v1/models/{name}",
    "kind": "torch",
    "key": "0" * 64,
    "folder": "compiled",
    "ready": True,
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


def facts(event: type[Event]) -> dict[str, object]:
    """Something for every field of an event."""
    known = {**FACTS, "status": 200} if not issubclass(event, RunEvent) else FACTS
    return {field.name: known[field.name] for field in dataclasses.fields(event) if field.name in known}


def example(hook: str) -> str:
    _, found, code = inspect.getdoc(getattr(Hooks, hook)).partition("Example::\n\n")  # type: ignore[union-attr]
    assert found, f"the docstring of {hook} has no example"
    return textwrap.dedent(code).strip()


def as_candidate(candidate: MakeCandidate, hook: str) -> Candidate:
    """The docstring's example as an author would paste it: after one import, in a module."""
    module = ModuleType("tunesmith_demo")
    vars(module).update({name: getattr(plugin, name) for name in plugin.__all__})
    exec(compile(example(hook), f"<example of {hook}>", "exec"), vars(module))
    return candidate("my-plugin" if hook == "tunesmith_recipe_sections" else "demo", load=lambda: module)


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_the_page_has_every_hook_with_its_signature_and_example(page: str, hook: str) -> None:
    text = section(page, hook)

    assert f"```\n{hook}{signature(hook)}\n```" in text
    assert f"```python\n{example(hook)}\n```" in text


def test_the_page_has_no_other_hook(page: str) -> None:
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == HOOKS


def test_hooks_stand_under_their_kind(page: str) -> None:
    hooks = page.split("\n## Provide\n")[1].split("\n## Specs and events\n")[0]
    provide, observe, gate = re.split(r"\n## (?:Observe|Gate)\n", hooks)

    assert re.findall(r"^### (\w+)$", provide, re.MULTILINE) == list(PROVIDE)
    assert re.findall(r"^### (\w+)$", observe, re.MULTILINE) == list(OBSERVE.values())
    assert re.findall(r"^### (\w+)$", gate, re.MULTILINE) == [AUTHORIZE]


def test_the_page_lists_every_action_that_gates_are_asked_about(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section(page, AUTHORIZE), re.MULTILINE)

    assert rows == list(ACTIONS.items())


@pytest.mark.parametrize(
    "described", [*PROVIDE.values(), *OBSERVE, Action, Allow, Deny], ids=lambda described: described.__name__
)
def test_the_page_lists_every_field(
    page: str, described: type[Spec] | type[Event] | type[Action] | type[Allow] | type[Deny]
) -> None:
    (row,) = re.findall(rf"^\| `{described.__name__}` \|(.*)\|$", page, re.MULTILINE)
    base = next((base for base in (Spec, RunEvent) if issubclass(described, base)), Event)
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
    (one,) = [one.spec for one in host.specs(spec.kind) if one.plugin != "tunesmith"]
    assert type(one) is spec


@pytest.mark.parametrize(("event", "hook"), OBSERVE.items())
def test_the_example_of_an_observe_hook_observes(
    candidate: MakeCandidate, capsys: pytest.CaptureFixture[str], event: type[Event], hook: str
) -> None:
    host = Host([as_candidate(candidate, hook)], environ={})

    host.notify(event(**facts(event)))

    printed = re.findall(r"event\.(\w+)", example(hook))
    assert capsys.readouterr().out == " ".join(str(facts(event)[name]) for name in printed) + "\n"


def test_the_example_of_the_gate_lets_pass_and_denies(candidate: MakeCandidate) -> None:
    host = Host([as_candidate(candidate, AUTHORIZE)], environ={})

    host.authorize(Action(name="train", subject="runs/a"))
    with pytest.raises(
        DeniedError, match="'demo' does not let this happen: models do not leave this machine"
    ) as denied:
        host.authorize(Action(name="export", subject="runs/a"))
    assert denied.value.fix == ("ask the owner of the machine",)
