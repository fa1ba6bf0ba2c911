# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From the name of a model to the model in memory: ``tunesmith.load(path)``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tunesmith._plugins import authorize
from tunesmith.engine.model import Model
from tunesmith.errors import ModelError
from tunesmith.plugin import Action

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import Registry

__all__ = ["load"]

_ROW_KEYS = ("format", "columns", "column_names", "encoding", "label_separator", "text_unit")


def load(name_or_path: str | Path, *, device: str = "auto", registry: Registry | None = None) -> Model:
    """Load a run, a model folder, a named model (``tunesmith/tiny``) or a hub id.

    Args:
        name_or_path: which model.
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
        registry: where named models and tasks are looked up. Default: the process's registry.

    Raises:
        ModelError: it cannot be used: no such model, unsafe or truncated files, no weights, no such device.
        OfflineError: it has to come from the hub, and the hub cannot be reached.
        PluginError: the plugin with its task is missing or broken.
        DeniedError: a gate does not let it happen.
    """
    from tunesmith.models import find_model_by_name
    from tunesmith.models.addressed import close_source, is_addressed
    from tunesmith.registry import get_registry
    from tunesmith.tasks.rendering import open_task, task_name

    authorize(Action(name="open", subject=str(name_or_path)))
    registry = registry or get_registry()
    place = _device(device)
    source = find_model_by_name(str(name_or_path), registry)
    task, module = open_task(source, registry)
    name = task_name(task, registry).removeprefix("tunesmith/")
    run = Path(name_or_path).expanduser()
    if source.folder is not None and not run.exists():
        run = source.folder.parent  # of a run that a plugin opened
    task.data = _as_trained(task.data, run)
    model = Model(task, module, source=source, task_name=name, device=place)
    model.addressed = is_addressed(source)
    if close_source(source):
        model.path = None
    return model


def _device(wanted: str) -> torch.device:
    if wanted not in ("auto", "cpu", "cuda"):
        raise ModelError("no such device", given=wanted, expected="auto, cpu or cuda")
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ModelError(
            "no CUDA device is available to PyTorch",
            given="device: cuda",
            expected=f"a CUDA build of PyTorch and a visible GPU; this is PyTorch {torch.__version__}",
            fix="use device cpu or auto, or check `tunesmith doctor`",
        )
    return torch.device("cuda" if wanted != "cpu" and has_gpu else "cpu")


def _as_trained(data: DataSection, folder: Path) -> DataSection:
    """How the rows of a run looked, so that the same file can be scored and predicted without saying it again."""
    if not (folder / "run.json").is_file():
        return data
    from tunesmith.runs import Run

    learned = Run.open(folder).recipe().data
    return data.model_copy(update={name: getattr(learned, name) for name in _ROW_KEYS})
