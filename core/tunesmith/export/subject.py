# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is exported: a model that has been found, checked and loaded, and everything an exporter may ask of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import RunError
from tunesmith.evaluate.golden import GOLDEN

if TYPE_CHECKING:
    from tunesmith.models.source import ModelSource
    from tunesmith.registry import Registry
    from tunesmith.runs import Run
    from tunesmith.tasks.base import Task

__all__ = ["Subject", "stored_precision"]

_PRECISIONS = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}


@dataclass(slots=True)
class Subject:
    """A model on its way out.

    Attributes:
        name: as the user wrote it.
        run: where it is one's.
        source: its files, checked.
        task: with everything bound.
        task_name: full name.
        module: the network, fp32; a ``PeftModel`` until :meth:`merge`.
        precision: of the weights on disk, of an adapter those of the model under it: ``fp32``, ``fp16`` or ``bf16``.
        registry: where names are looked up.
        notes: what people must be told, one sentence each.
    """

    name: str
    run: Run | None
    source: ModelSource
    task: Task[Any, Any]
    task_name: str
    module: Any
    precision: str
    registry: Registry
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, model: str | Path | Run, registry: Registry) -> Subject:
        """Find, check and load.

        Raises:
            RunError: no such run, it has not finished, or a file of it is not what it was when it finished.
            ModelError: it cannot be used.
        """
        from tunesmith.models import find_model_by_name
        from tunesmith.tasks.rendering import open_task, task_name

        run, name = _run_of(model)
        if run is not None:
            _check_run(run)
        source = find_model_by_name(name, registry)
        task, module = open_task(source, registry)
        module.eval()
        return cls(name, run, source, task, task_name(task, registry), module, stored_precision(source), registry)

    def note(self, text: str) -> None:
        """Keep a fact that people must be told: one sentence, no full stop."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def adapted(self) -> bool:
        """An adapter is around the network."""
        from tunesmith.models.adapters import is_adapted

        return is_adapted(self.module)

    def merge(self) -> Any:
        """The network with its adapter, if there is one, added to its weights; changes ``module``."""
        from tunesmith.models.quiet import quiet_libraries

        if self.adapted:
            with quiet_libraries():
                self.module = self.module.merge_and_unload().eval()
        return self.module

    @property
    def tokenizer(self) -> Any:
        """The task's; ``None`` for images and tables."""
        return getattr(self.task, "tokenizer", None)


def stored_precision(source: ModelSource) -> str:
    """That of most of a model's numbers on disk; of an adapter, of the model under it."""
    from tunesmith.models.check import check_model

    while source.base is not None:
        source = source.base
    assert source.folder is not None
    counts: Counter[str] = Counter()
    for file in check_model(source.folder, name=source.name, trust_remote_code=True):
        for fact in _header(file).values():
            begin, end = fact["data_offsets"]
            counts[fact["dtype"]] += end - begin
    known = {_PRECISIONS[dtype]: count for dtype, count in counts.items() if dtype in _PRECISIONS}
    return max(known, key=lambda precision: known[precision], default="fp32")


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        header: dict[str, Any] = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    header.pop("__metadata__", None)
    return header


def _run_of(model: str | Path | Run) -> tuple[Run | None, str]:
    from tunesmith.runs import Run

    if isinstance(model, Run):
        return model, str(model.path)
    path = Path(model).expanduser()
    if (path / "run.json").is_file():
        return Run.open(path), str(model)
    if path.is_dir() and not any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        Run.open(path)  # neither a model nor a run: it says so, and where runs may be
    return None, str(model)


def _check_run(run: Run) -> None:
    from tunesmith.runs import file_digest

    manifest = run.manifest
    if manifest["status"] != "finished":
        raise RunError(
            f"{run.path} has not finished, so it has no model to export",
            given=f"status {'killed' if run.was_killed else manifest['status']}",
            expected="a run that is finished",
            fix=f"let it finish: tunesmith train --resume {run.path}",
        )
    for name, digest in (manifest.get("artefacts") or {}).items():
        path = run.path / name
        if (name.startswith("model/") or name == GOLDEN) and path.is_file() and file_digest(path) != digest:
            raise RunError(
                f"{path} is not what it was when the run finished",
                given="other bytes than run.json says",
                expected=str(digest),
                fix=(
                    f"bring the file back from a copy; tunesmith verify {run.path} shows everything that changed;",
                    f"to export it as it is, name the model's folder: {run.model_folder}",
                ),
            )
