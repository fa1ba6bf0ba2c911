# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Distributions on the disk, as they are installed: what examines plugins in other processes finds them there."""

from __future__ import annotations

import zipfile
from pathlib import Path

HOOKS = "from tunesmith.plugin import *\nfrom tunesmith.plugin import hookimpl\n"


def install(
    folder: Path, name: str, *, requires: tuple[str, ...] = (), plugin: str = "", entry: str = "", **modules: str
) -> None:
    """Put a distribution ``tunesmith-NAME`` with the plugin NAME into a folder.

    Args:
        folder: made if it is not there; it belongs on the path.
        name: of the plugin.
        requires: what its metadata says it needs.
        plugin: the text of its module ``NAME_plugin``, below the imports of ``tunesmith.plugin``.
        entry: the plugin's name in the entry point, where it is another.
        modules: texts of more modules, by name.
    """
    info = folder / f"tunesmith_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    for file, text in metadata(name, requires, entry).items():
        (info / file).write_text(text, "utf-8")
    for module, text in {f"{name}_plugin": HOOKS + plugin, **modules}.items():
        (folder / f"{module}.py").write_text(text, "utf-8")


def wheel(folder: Path, name: str, plugin: str = "") -> Path:
    """The same as a wheel."""
    path = folder / f"tunesmith_{name}-1.0-py3-none-any.whl"
    info = f"tunesmith_{name}-1.0.dist-info"
    files = {f"{info}/{file}": text for file, text in metadata(name, (), "").items()}
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{name}_plugin.py"] = HOOKS + plugin
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


def metadata(name: str, requires: tuple[str, ...], entry: str) -> dict[str, str]:
    lines = ["Metadata-Version: 2.1", f"Name: tunesmith-{name}", "Version: 1.0", "Summary: A plugin of a test"]
    lines += ["License-Expression: MIT", f"Project-URL: Homepage, https://example.org/{name}"]
    return {
        "METADATA": "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n",
        "entry_points.txt": f"[tunesmith.plugins.v1]\n{entry or name} = {name}_plugin\n",
    }
