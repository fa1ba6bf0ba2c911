# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A form that a plugin brings is as good as ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import ParityError
from tunesmith.evaluate.golden import Golden
from tunesmith.export import Finding, Subject, export_model
from tunesmith.plugin import ExporterSpec, hookimpl
from tunesmith.registry import Registry


class Names:
    """Writes the names of the weights; a bad check unless there are some."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        (folder / "names.txt").write_text("\n".join(subject.merge().state_dict()))
        subject.note(f"written as {quantize or subject.precision}")

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        names = (folder / "names.txt").read_text().splitlines()
        return [Finding("names", quantize is None, f"{len(names)} names for {len(golden)} golden rows")]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    module = ModuleType("tunesmith_names")
    module.Names = Names  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tunesmith_names", module)
    spec = ExporterSpec(name="names", summary="Names", target="tunesmith_names:Names", quantize=("int8",))
    plugin = SimpleNamespace(tunesmith_exporters=hookimpl(lambda: [spec]))
    candidate = Candidate(
        name="demo",
        distribution="tunesmith-demo",
        version="1.0",
        target="tunesmith_names",
        requires=(),
        load=lambda: plugin,
    )
    return Registry(Host([candidate], environ={}))


def test_a_plugins_form(chat_model: Path, registry: Registry, tmp_path: Path) -> None:
    done = export_model(chat_model, to="names", out=tmp_path / "out", registry=registry)

    assert (done.to, done.state, done.notes) == ("demo/names", "passed", ("written as fp32",))
    assert "model.embed_tokens.weight" in (done.path / "names.txt").read_text()
    assert list(done.files) == ["names.txt"]
    assert done.findings[0].detail.endswith("names for 4 golden rows")


def test_its_check_counts_as_ours(chat_model: Path, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="names: ") as caught:
        export_model(chat_model, to="demo/names", quantize="int8", out=tmp_path / "out", registry=registry)
    assert "export without --quantize" in caught.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [({"tasks": "chat"}, "tasks must be a tuple"), ({"quantize": ("INT8",)}, "quantize must be a tuple of names")],
)
def test_specs_of_the_wrong_form(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ExporterSpec(name="a", summary="b", target="c:d", **values)  # type: ignore[arg-type]
