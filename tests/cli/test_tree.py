# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The commands and flags, pinned: flags may be added, these stay. The reference page names each of them."""

from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tunesmith_cli.main import app
from tunesmith_cli.root import BUILT_IN

GLOBAL = {"--debug"}
TREE: dict[str, set[str]] = {
    "": {"--version", "--quiet", "-q", "--debug", "--no-plugins"},
    "quickstart": {"--out", "--quiet", "-q", "--json"},
    "plan": {"RECIPE", "--set", "--no-steps", "--samples", "--strategy", "--nproc", "--nodes", "--gpu", "--quiet"}
    | {"-q", "--json"},
    "train": {
        "RECIPE",
        "--set",
        "--resume",
        "--strategy",
        "--task",
        "--model",
        "--train",
        "--test",
        "--validation",
        "--text",
    }
    | {"--label", "--method", "--out", "--force", "--quiet", "-q", "--json"},
    "search": {
        "RECIPE",
        "--over",
        "--set",
        "--trials",
        "--timeout",
        "--seed",
        "--sampler",
        "--pruner",
        "--keep",
        "--resume",
    }
    | {"--quiet", "-q", "--json"},
    "crossval": {"RECIPE", "--folds", "--group", "--set", "--keep", "--resume", "--quiet", "-q", "--json"},
    "evaluate": {"MODEL", "--data", "--columns", "--format", "--quiet", "-q", "--json"}
    | {"--generate", "--metric", "--answer-tokens", "--tokenize"},
    "predict": {"MODEL", "FILE", "--columns", "--format", "--out", "--max-new-tokens", "--quiet", "-q"},
    "generate": {"MODEL", "--prompt", "--max-new-tokens", "--greedy", "--seed", "--temperature", "--top-k", "--top-p"}
    | {"--stop", "--json"},
    "chat": {"MODEL", "--system", "--max-new-tokens", "--greedy", "--seed", "--temperature", "--top-k", "--top-p"}
    | {"--quiet", "-q"},
    "serve": {
        "MODEL...",
        "--name",
        "--adapter",
        "--host",
        "--port",
        "--key-file",
        "--access",
        "--scheduler",
        "--accelerate",
        "--device",
        "--weights",
        "--slots",
    }
    | {"--context", "--max-waiting", "--max-requests", "--max-connections", "--max-body-bytes", "--max-prompt-chars"}
    | {"--max-new-tokens", "--max-choices", "--max-inputs", "--max-seconds", "--drain-seconds", "--no-check"}
    | {"--route", "--no-page"}
    | {"--quiet", "-q"},
    "batch": {"MODEL...", "--in", "--out", "--name", "--resume", "--at-once", "--quiet", "-q"},
    "runs": set(),
    "runs list": {"FOLDER", "--json"},
    "runs show": {"RUN", "--json"},
    "runs compare": {"RUN...", "--json"},
    "verify": {"RUN", "--json"},
    "replay": {"RUN", "--out", "--quiet", "-q", "--json"},
    "export": {"RUN", "--to", "--out", "--quantize", "--check", "--quiet", "-q", "--json"},
    "recipe": set(),
    "recipe new": {"TASK", "--out"},
    "recipe schema": set(),
    "tasks": set(),
    "tasks list": {"--json"},
    "datasets": set(),
    "datasets list": {"--json"},
    "models": set(),
    "models list": {"--json"},
    "readers": set(),
    "readers list": {"--json"},
    "metrics": set(),
    "metrics list": {"--json"},
    "augmentations": set(),
    "augmentations list": {"--json"},
    "objectives": set(),
    "objectives list": {"--json"},
    "transforms": set(),
    "transforms list": {"--json"},
    "trackers": set(),
    "trackers list": {"--json"},
    "exporters": set(),
    "exporters list": {"--json"},
    "cache": set(),
    "cache list": {"--json"},
    "cache clear": {"--older-than", "--json"},
    "license": set(),
    "license inspect": {"FILE", "--json"},
    "plugins": set(),
    "plugins list": {"--json"},
    "plugins show": {"NAME", "--json"},
    "plugins doctor": {"NAME", "--timeout", "--quiet", "-q", "--json"},
    "plugins new": {"NAME", "--with", "--out", "--quiet", "-q", "--json"},
    "plugins add": {"PACKAGE...", "--yes", "-y", "--quiet", "-q", "--json"},
    "plugins remove": {"PLUGIN...", "--yes", "-y", "--quiet", "-q", "--json"},
    "plugins restore": {"--from", "--yes", "-y", "--quiet", "-q", "--json"},
    "doctor": {"--json"},
}


def tree() -> dict[str, set[str]]:
    found = {"": flags(typer.main.get_command(app))}
    for name, spec in BUILT_IN.items():
        module, _, attribute = spec.target.partition(":")
        command = typer.main.get_command(getattr(import_module(module), attribute))
        found[name] = flags(command)
        if isinstance(command, TyperGroup):
            found |= {f"{name} {child}": flags(each) for child, each in command.commands.items()}
    return found


def flags(command: object) -> set[str]:
    names: set[str] = set()
    for param in command.params:  # type: ignore[attr-defined]
        if param.param_type_name == "argument":
            names.add((param.metavar or param.name).strip("[]"))
        else:
            names.update(param.opts)
    return names - {"--install-completion", "--show-completion"}


def test_the_command_tree_stays() -> None:
    found = tree()
    assert found.keys() == TREE.keys()
    for name, expected in TREE.items():
        assert expected | (GLOBAL if found[name] else set()) == found[name], name


@pytest.mark.parametrize("name", sorted(TREE))
def test_the_reference_names_every_command_and_flag(name: str, root: Path) -> None:
    page = (root / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    heading = f"## `tunesmith {name}`" if name else "## Options of every command"
    assert f"{heading}\n" in page.replace("###", "##")
    section = page.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    shared = page.split("## Options of every command\n", 1)[1].split("\n## ", 1)[0]
    for flag in TREE[name]:
        assert flag.strip(".") in section or f"`{flag}`" in shared, f"{flag} of tunesmith {name} is not on the page"
