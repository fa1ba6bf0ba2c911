# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``onnx``: a graph that ONNX Runtime computes, of models that sort texts, words or images, or make vectors.

Inputs are ``input_ids`` and ``attention_mask``, int64 (batch, length), or ``pixel_values``, float32 (batch, channels,
height, width), as transformers names them. The output is ``logits``, or ``sentence_embedding``: vectors of length 1.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tunesmith.errors import ModelError
from tunesmith.evaluate.golden import Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.export.parity import TOLERANCES, Finding, compare_golden
from tunesmith.export.subject import Subject
from tunesmith.models.quiet import quiet_libraries
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.embedding import Embedding
from tunesmith.tasks.pooling import PoolMode, pooled

__all__ = ["FILE", "Onnx", "OnnxModule"]

FILE = "model.onnx"
_ONE_FILE = 2**31 - 2**24
"""Bytes: a file of protobuf holds 2 GiB; weights of more go beside it."""


class Onnx:
    """The graph, with tokenizer, configuration and ``rendering.json`` beside it."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        from tunesmith.tasks.rendering import save_task

        for name in ("onnx", "onnxscript", "onnxruntime"):
            _library(name)
        module = subject.merge()
        _write_graph(subject, module, folder / FILE)
        if quantize == "int8":
            _quantize(folder / FILE)
        module.config.save_pretrained(folder)
        if subject.tokenizer is not None:
            subject.tokenizer.save_pretrained(folder)
        save_task(subject.task, folder, registry=subject.registry)

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        if not len(golden):
            return [Finding("golden rows", None, "there are no rows to compare with")]
        # Weights are written in fp32 whatever they were stored in: they were loaded so, and answered so.
        tolerance = TOLERANCES[quantize or "fp32"]
        try:
            probe = _OnnxProbe(subject, folder / FILE)
        except Exception as error:  # onnxruntime has no exceptions of its own to name
            return [Finding("ONNX Runtime", False, f"cannot open the graph: {str(error).strip()[:300]}")]
        findings = compare_golden(golden, probe, tolerance).findings(tolerance)
        return [*findings, _together(golden, probe, tolerance.number)]


class OnnxModule(nn.Module):
    """A graph in the place of a network: called as it was, it gives ``logits``, or ``sentence_embedding``."""

    def __init__(self, file: Path, config: Any) -> None:
        super().__init__()
        self.config = config
        self.session = _library("onnxruntime").InferenceSession(str(file), providers=["CPUExecutionProvider"])
        self._names = [one.name for one in self.session.get_inputs()]
        self._output = self.session.get_outputs()[0].name

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        if "attention_mask" in self._names and "attention_mask" not in inputs:
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        arrays = {name: inputs[name].cpu().numpy() for name in self._names}
        return SimpleNamespace(**{self._output: torch.from_numpy(self.session.run([self._output], arrays)[0])})


class _OnnxProbe(Probe):
    def __init__(self, subject: Subject, file: Path) -> None:
        super().__init__(subject.task, OnnxModule(file, subject.module.config))

    def numbers_together(self, items: Sequence[Encoded]) -> list[NDArray[np.float64]]:
        if not isinstance(self.task, Embedding):
            return super().numbers_together(items)
        inputs = self.task.collate(items).inputs  # the graph itself makes one vector a text, of length 1
        anchors = {name: inputs[name] for name in ("input_ids", "attention_mask") if name in inputs}
        return [row.double().numpy() for row in self.model(**anchors).sentence_embedding]


def _together(golden: Golden, probe: Probe, allowed: float) -> Finding:
    """The golden rows in one batch: padding must change nothing."""
    items = [item for row in golden.rows for item in row.items]
    found = probe.numbers_together([item.encoded for item in items])
    gaps = [float(np.abs(mine - item.numbers).max()) for mine, item in zip(found, items, strict=True) if len(mine)]
    gap = max(gaps, default=0.0)
    return Finding(
        "one batch", gap <= allowed, f"{len(items)} inputs together, at most {gap:.2g} apart (allowed: {allowed:g})"
    )


# ---- writing -----------------------------------------------------------------------------------


class _TextGraph(nn.Module):
    def __init__(self, model: Any, pooling: PoolMode | None) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if self.pooling is not None:
            return pooled(self.model, input_ids, attention_mask, self.pooling)
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


class _ImageGraph(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(pixel_values=pixel_values).logits
        return logits


def _write_graph(subject: Subject, module: Any, file: Path) -> None:
    task: Any = subject.task
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    graph: nn.Module
    if subject.tokenizer is None:
        settings = task.settings
        graph, axes = _ImageGraph(module), {"pixel_values": {0: batch}}
        inputs = {"pixel_values": torch.zeros(2, settings.channels, settings.height, settings.width)}
    else:
        graph = _TextGraph(module, task.pooling if isinstance(task, Embedding) else None)
        # Neither 1 nor equal: an example of such a shape would be taken for a rule.
        ids = torch.full((2, 7), subject.tokenizer.pad_token_id or 0)
        ids[:, :5] = torch.arange(5) % module.get_input_embeddings().weight.shape[0]
        inputs = {"input_ids": ids, "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2])}
        axes = {name: {0: batch, 1: length} for name in inputs}
    size = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
    cached = getattr(module.config, "use_cache", None)
    if cached:
        module.config.use_cache = False
    try:
        with quiet_libraries(), _quiet_export(), torch.no_grad():
            torch.onnx.export(
                graph.eval(),
                (),
                str(file),
                kwargs=inputs,
                input_names=list(inputs),
                output_names=["sentence_embedding" if isinstance(task, Embedding) else "logits"],
                dynamic_shapes=axes,
                dynamo=True,
                verbose=False,
                external_data=size > _ONE_FILE,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise ModelError(
            f"torch.onnx cannot write this model: {type(module).__name__}",
            given=f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0][:300],
            expected="a model made of operations that ONNX has",
            fix="export it --to merged",
        ) from error
    finally:
        if cached:
            module.config.use_cache = cached


@contextmanager
def _quiet_export() -> Iterator[None]:
    """torch.onnx tells of every operator that it has not registered."""
    loggers = {name: logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")}
    levels = {name: logger.level for name, logger in loggers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers.values():
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                loggers[name].setLevel(level)


def _quantize(file: Path) -> None:
    """Weights of matrix products to 8 bits; activations are rounded to 8 bits while it computes."""
    quantization: Any = import_module("onnxruntime.quantization")
    whole = file.with_name("whole.onnx")
    file.rename(whole)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it recommends a preparation that these graphs do not need, by way of the root logger
    try:
        quantization.quantize_dynamic(whole, file, weight_type=quantization.QuantType.QInt8, per_channel=True)
    finally:
        root.setLevel(level)
    for path in file.parent.glob("whole.onnx*"):
        path.unlink()


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"exporting to ONNX needs the package {name}",
            given=str(error),
            expected="onnx, onnxscript and onnxruntime beside tunesmith",
            fix="pip install 'tunesmith[onnx]'",
        ) from error
