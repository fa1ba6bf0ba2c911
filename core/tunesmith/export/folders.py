# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``merged`` and ``adapter``: folders that transformers, vLLM and peft open as they are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunesmith.errors import ModelError
from tunesmith.evaluate.golden import Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.export.parity import TOLERANCES, Finding, compare_golden
from tunesmith.export.subject import Subject

__all__ = ["Adapter", "Merged", "reopened"]

_LEFT_BEHIND = frozenset({"README.md"})
_WEIGHTS = (".safetensors", ".safetensors.index.json")


class Merged:
    """A whole model: weights as they are stored (an adapter added to those under it), tokenizer, chat template,
    generation settings, and ``rendering.json``."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        from tunesmith.models import save_model
        from tunesmith.tasks.rendering import save_task

        module = subject.merge()
        _settle_generation(subject, module)
        save_model(module, folder, subject.tokenizer, dtype=subject.precision)  # type: ignore[arg-type]
        save_task(subject.task, folder, registry=subject.registry)
        _copy_other_files(subject, folder)

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        return reopened(subject, folder, golden, subject.precision)


class Adapter:
    """The adapter alone, with the model under it named; byte for byte what training wrote."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        if subject.source.kind != "adapter":
            raise ModelError(
                f"{subject.name} has no adapter: its weights were trained themselves",
                given=f"a whole model, {subject.source.folder}",
                expected="a run with method: lora, or a PEFT folder",
                fix="export it --to merged",
            )
        assert subject.source.folder is not None
        for path in sorted(subject.source.folder.iterdir()):
            if path.is_file() and path.name not in _LEFT_BEHIND:
                shutil.copyfile(path, folder / path.name)
        if subject.tokenizer is not None and not (folder / "tokenizer_config.json").is_file():
            subject.tokenizer.save_pretrained(folder)
        base = subject.source.base
        assert base is not None
        subject.note(f"it needs the model under it: {base.name}, whose weights are {base.digest}")

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        base = subject.source.base
        assert base is not None
        return reopened(subject, folder, golden, "fp32")


def reopened(subject: Subject, folder: Path, golden: Golden, precision: str) -> list[Finding]:
    """Open a folder as ``tunesmith.load`` does, and hold it against the golden set."""
    from tunesmith.models import find_model_by_name
    from tunesmith.tasks.rendering import open_task

    if not len(golden):
        return [Finding("golden rows", None, "there are no rows to compare with")]
    task, module = open_task(find_model_by_name(str(folder), subject.registry), subject.registry)
    device = next(subject.module.parameters()).device
    tolerance = TOLERANCES[precision]
    return compare_golden(golden, Probe(task, module.to(device)), tolerance).findings(tolerance)


def _settle_generation(subject: Subject, module: Any) -> None:
    """Programs that know nothing of ``rendering.json`` find stop tokens and sampling where transformers has them."""
    if not subject.task.generates or not hasattr(module, "generation_config"):
        return
    task: Any = subject.task
    settings = module.generation_config
    stop = sorted(task.stop_tokens())
    if stop:
        settings.eos_token_id = stop[0] if len(stop) == 1 else stop
    settings.pad_token_id = task.padding
    for key, value in task.generation.items():
        setattr(settings, key, value)
    if task.generation:
        settings.do_sample = task.generation.get("temperature") != 0
    if settings.do_sample is False:  # transformers refuses to save settings of a draw that is not made
        for key in ("temperature", "top_k", "top_p"):
            setattr(settings, key, None)


def _copy_other_files(subject: Subject, folder: Path) -> None:
    """What came with the model and was not written: image settings and the like."""
    source = subject.source
    while source.base is not None:
        source = source.base
    assert source.folder is not None
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (source.folder / name).is_file() and not (folder / name).exists():
            shutil.copyfile(source.folder / name, folder / name)
