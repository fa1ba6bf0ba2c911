# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins in memory, and packages of a file or two that count as installed."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tunesmith._plugins.kinds import PROVIDE
from tunesmith.plugin import hookimpl
from tunesmith.testing import ConformanceError, Report, check_plugin, plugin_installed

sys.path.insert(0, str(Path(__file__).parent))  # for faults.py, which plugins under test name as their targets

_numbers = itertools.count()


@pytest.fixture
def checked() -> Callable[..., Report]:
    """Checks a plugin in memory that gives these specs; without jobs, unless asked."""

    def checked(*specs: object, train: bool = False, **hooks: object) -> Report:
        hook_of = {spec.kind: hook for hook, spec in PROVIDE.items()}
        by_hook: dict[str, list[object]] = {}
        for spec in specs:
            by_hook.setdefault(hook_of[spec.kind], []).append(spec)
        functions = {name: hookimpl(lambda found=tuple(found): list(found)) for name, found in by_hook.items()}
        functions |= {name: hookimpl(function) for name, function in hooks.items()}
        with plugin_installed(SimpleNamespace(**functions), name="faulty"):
            return check_plugin("faulty", train=train)

    return checked


@pytest.fixture
def findings(checked) -> Callable[..., list[str]]:
    """The findings of ``checked``, each as the text that people see."""

    def findings(*specs: object, **options: object) -> list[str]:
        with pytest.raises(ConformanceError) as caught:
            checked(*specs, **options)
        return [str(finding) for finding in caught.value.findings]

    return findings


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a package with an entry point to where Python finds it; gives the plugin's name."""

    def package(code: str, *, requires: str = "tunesmith<1", metadata: str = "License-Expression: MIT\n") -> str:
        number = next(_numbers)
        name, module = f"faulty{number}", f"tunesmith_faulty{number}"
        (tmp_path / f"{module}.py").write_text(f"from tunesmith.plugin import *\n{code}\n")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(f"[tunesmith.plugins.v1]\n{name} = {module}\n")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: tunesmith-faulty{number}\nVersion: 1.0\n{metadata}"
            f"Requires-Dist: {requires}\n\nWhat it is for.\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    return package
