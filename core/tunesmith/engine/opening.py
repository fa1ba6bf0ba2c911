# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which engine a model gets, in which arithmetic, and how much memory for answers under way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from tunesmith._plugins import authorize
from tunesmith.engine.decoder import Decoder, dtype_name
from tunesmith.engine.generating import GeneratingEngine
from tunesmith.engine.keys_values import bytes_per_token
from tunesmith.engine.model import load
from tunesmith.engine.protocol import Engine
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.rows import RowsEngine
from tunesmith.engine.sequential import SequentialEngine
from tunesmith.engine.steps import StepDecoder
from tunesmith.engine.writing import Limits
from tunesmith.errors import ModelError, TooLargeError
from tunesmith.machine.memory import room_on
from tunesmith.machine.precision import choose_precision
from tunesmith.plugin import Action
from tunesmith.registry import get_registry

if TYPE_CHECKING:
    from tunesmith.engine.compiled import Stored
    from tunesmith.registry import Registry

__all__ = ["Weights", "open_engine"]

Weights = Literal["auto", "fp32", "fp16", "bf16", "int8"]

_SHARE = 0.6
"""Of the free memory, for keys and values: steps need some, and others do."""

_log = logging.getLogger(__name__)


def open_engine(
    name_or_path: str | Path,
    *,
    name: str | None = None,
    device: str = "auto",
    weights: Weights = "auto",
    slots: int = 8,
    context: int | None = None,
    waiting: int = 128,
    prompt_tokens: int = 512,
    registry: Registry | None = None,
) -> Engine:
    """An engine for a run, a model folder, a named model or a hub id; or another engine by name.

    ``ENGINE:ADDRESS`` asks an engine that a plugin brings, or ``openai:http://HOST:PORT/v1#MODEL`` a server with
    OpenAI's API; of the arguments below such an engine gets ``name``, ``slots`` and ``waiting``.

    Llama-like decoders answer many requests in every step; other models that write take turns; models that answer rows
    compute rows of all requests together.

    Args:
        name_or_path: which model.
        name: as clients ask for it. Default: the last part of ``name_or_path``.
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
        weights: ``fp32``; ``bf16`` (of models that answer rows: their products); ``fp16`` and ``int8``: linear layers
            of Llama-like decoders on a processor, the rest in fp32; ``auto``: bf16 where this machine computes it
            faster; else, for decoders on a processor, fp16, which is rounded less than bf16 and half of fp32 to read;
            else fp32.
        slots: answers under way at once; fewer where the memory does not hold so many.
        context: longest prompt and answer together, in tokens. Default: what the model allows.
        waiting: requests in the queue at most.
        prompt_tokens: of prompts, read in one step.
        registry: where named models and tasks are looked up. Default: the process's registry.

    Raises:
        ModelError: the model cannot be used, or not with such weights.
        TooLargeError: the memory does not hold a single answer.
        DeniedError: a gate does not let it happen.
    """
    if weights not in get_args(Weights):
        raise ModelError("no such weights", given=weights, expected=", ".join(get_args(Weights)))
    other = _other_engine(str(name_or_path), registry or get_registry())
    if other is not None:
        make, address = other
        engine = str(name_or_path).partition(":")[0]
        authorize(Action(name="open", subject=str(name_or_path), details={"engine": engine}))
        return make(address, name=name, slots=slots, waiting=waiting)
    model = load(name_or_path, device=device, registry=registry)
    name = name or Path(str(name_or_path)).name
    limits = Limits(slots=slots, context=context, waiting=waiting, prompt_tokens=prompt_tokens)
    wanted = weights if weights in ("auto", "bf16") else "fp32"
    precision = choose_precision(wanted, model.module, model.device)
    _log.info("%s: %s, %s", name, precision.name, precision.reason)
    if not model.definition.generates:
        _refuse(weights, name, f"it is a model of the task {model.task}")
        return RowsEngine(
            model.definition,
            model.module,
            precision=precision.name,
            lock=model.lock,
            name=name,
            task_name=model.task,
            waiting=waiting,
        )
    if precision.name == "bf16":
        model.module.to(torch.bfloat16)
    vocabulary = int(model.module.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    rendering = Rendering(model.definition, vocabulary=vocabulary, lock=model.lock)
    decoder = Decoder.of(model.module)
    if decoder is None:
        _refuse(weights, name, "its layers are not those of a Llama-like decoder")
        return SequentialEngine(model.module, rendering, name=name, task=model.task, limits=limits)
    held = _held(decoder, weights, name)
    return GeneratingEngine(held, rendering, name=name, task=model.task, limits=_fitting(held, limits, name))


def _other_engine(text: str, registry: Registry) -> tuple[Callable[..., Engine], str] | None:
    """What makes the engine that ``ENGINE:ADDRESS`` names, and the address; ``None`` where no engine is named."""
    engine, colon, address = text.partition(":")
    names = {name for one in registry.all("engine") for name in (one.spec.name, one.full_name)}
    if not colon or engine not in names:
        return None
    make: Any = registry.load("engine", engine)
    return make, address


def _held(decoder: Decoder, weights: Weights, name: str) -> StepDecoder:
    """What computes: on a processor compiled code, with linear layers in fewer bits where that is asked for."""
    if decoder.device.type != "cpu":
        _refuse(weights, name, "it is on a GPU")
        return decoder
    from tunesmith.engine.compiled import CompiledDecoder  # and with it Numba, which other models need not wait for

    own: Any = dtype_name(decoder.dtype)
    stored: Stored = ("fp16" if own == "fp32" else own) if weights == "auto" else weights
    begin = time.monotonic()
    try:
        compiled = CompiledDecoder.of(decoder, stored)
    except OverflowError as error:
        if weights != "auto":
            _refuse(weights, name, str(error))
        compiled = CompiledDecoder.of(decoder, own)
    if compiled is not None:
        _log.info("%s: its step was compiled and tried in %.1f s", name, time.monotonic() - begin)
        return compiled
    _refuse(weights, name, "what was compiled for this processor does not compute what the model computes")
    _log.warning("%s: compiled code does not compute what the model computes here; PyTorch does it, slower", name)
    return decoder


def _refuse(weights: Weights, name: str, reason: str) -> None:
    if weights in ("fp16", "int8"):
        raise ModelError(
            f"{name} cannot be held in {weights}",
            given=reason,
            expected="a Llama-like decoder on a processor",
            fix="leave weights at auto",
        )


def _fitting(decoder: StepDecoder, limits: Limits, name: str) -> Limits:
    """Fewer slots where the memory does not hold all of them."""
    room = room_on(decoder.device)
    if room is None:
        return limits
    context = min(decoder.shape.context, limits.context or decoder.shape.context)
    each = context * bytes_per_token(decoder.shape, decoder.dtype)
    fit = int(_SHARE * room.free // each)
    if fit < 1:
        raise TooLargeError(
            f"the memory does not hold one answer of {name}",
            given=f"{each / 1e9:.1f} GB for {context:,} tokens; {room.free / 1e9:.1f} GB are free of {room.limit}",
            expected=f"an answer within {_SHARE:.0%} of what is free",
            fix=(
                "give a smaller context",
                "hold the weights in fewer bits (weights: int8, or bf16)",
                "end other programs",
            ),
        )
    if fit < limits.slots:
        _log.warning("%s: %d answers at once instead of %d: the memory holds no more", name, fit, limits.slots)
    return replace(limits, slots=min(fit, limits.slots))
