# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which engine a model gets, in which arithmetic, and how much memory for answers under way."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from tunesmith._plugins import authorize, telling_of_machine_code
from tunesmith.engine.accelerated import accelerate as accelerated
from tunesmith.engine.accelerated import find_accelerations, loaded, packing_of, refuse
from tunesmith.engine.acceleration import Acceleration, Opening
from tunesmith.engine.decoder import Decoder, dtype_name
from tunesmith.engine.generating import GeneratingEngine
from tunesmith.engine.keys_values import bytes_per_token
from tunesmith.engine.loading import load
from tunesmith.engine.protocol import Engine
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.rows import RowsEngine
from tunesmith.engine.sampling import compile_choosing
from tunesmith.engine.scheduling import Scheduler, find_scheduler
from tunesmith.engine.sequential import SequentialEngine
from tunesmith.engine.steps import StepDecoder
from tunesmith.engine.writing import Limits
from tunesmith.errors import ModelError, TooLargeError
from tunesmith.machine.memory import room_on
from tunesmith.machine.precision import choose_precision
from tunesmith.plugin import Action
from tunesmith.registry import get_registry

if TYPE_CHECKING:
    from tunesmith.engine.compiled import CompiledDecoder, Stored
    from tunesmith.engine.packing import Packing
    from tunesmith.registry import Registry

__all__ = ["Weights", "load_decoder", "open_engine"]

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
    accelerate: Sequence[str] = (),
    scheduler: Scheduler | str | None = None,
    registry: Registry | None = None,
) -> Engine:
    """An engine for a run, a model folder, a named model or a hub id; or another engine by name.

    ``ENGINE:ADDRESS`` asks an engine that a plugin brings, or ``openai:http://HOST:PORT/v1#MODEL`` a server with
    OpenAI's API; of the arguments below such an engine gets ``name``, ``slots`` and ``waiting``, and
    ``scheduler`` where it takes one.

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
        accelerate: what plugins have to make a Llama-like decoder faster, as ``PLUGIN/NAME`` or
            ``PLUGIN/NAME:ARGUMENT``.
        scheduler: in which order requests are computed: an object that may serve several engines, or the name of a
            plugin's. Default: callers take turns. With one, models that answer rows have ``slots`` requests under way
            at once, else all.
        registry: where named models, tasks and accelerations are looked up. Default: the process's registry.

    Raises:
        ModelError: the model cannot be used, or not with such weights; or a scheduler is asked for, and the engine has
            an order of its own; or the model cannot be accelerated.
        NotFoundError: no plugin has a scheduler, or an acceleration, of that name.
        TooLargeError: the memory does not hold a single answer.
        DeniedError: a gate does not let it happen.
    """
    if weights not in get_args(Weights):
        raise ModelError("no such weights", given=weights, expected=", ".join(get_args(Weights)))
    if isinstance(scheduler, str):
        scheduler = find_scheduler(scheduler, registry)
    other = _other_engine(str(name_or_path), registry or get_registry())
    if other is not None:
        refuse(str(name_or_path), accelerate, "another engine answers for it")
        make, address = other
        engine = str(name_or_path).partition(":")[0]
        authorize(Action(name="open", subject=str(name_or_path), details={"engine": engine}))
        return make(address, name=name, slots=slots, waiting=waiting, **_takes(make, scheduler, engine))
    parts = find_accelerations(accelerate, registry or get_registry())  # before a model is loaded, which takes long
    model = load(name_or_path, device=device, registry=registry)
    name = name or Path(str(name_or_path)).name
    limits = Limits(slots=slots, context=context, waiting=waiting, prompt_tokens=prompt_tokens)
    order = scheduler or Scheduler()
    limits = replace(limits, scheduler=order)
    wanted = weights if weights in ("auto", "bf16") else "fp32"
    precision = choose_precision(wanted, model.module, model.device)
    _log.info("%s: %s, %s", name, precision.name, precision.reason)
    if not model.definition.generates:
        _refuse(weights, name, f"it is a model of the task {model.task}")
        refuse(name, accelerate, f"it is a model of the task {model.task}")
        return RowsEngine(
            model.definition,
            model.module,
            precision=precision.name,
            lock=model.lock,
            name=name,
            task_name=model.task,
            queue=order.queue(name, slots=slots, waiting=waiting),
            slots=None if scheduler is None else slots,
        )
    if precision.name == "bf16":
        model.module.to(torch.bfloat16)
    vocabulary = int(model.module.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    rendering = Rendering(model.definition, vocabulary=vocabulary, lock=model.lock)
    decoder = Decoder.of(model.module)
    if decoder is None:
        _refuse(weights, name, "its layers are not those of a Llama-like decoder")
        refuse(name, accelerate, "its layers are not those of a Llama-like decoder")
        return SequentialEngine(model.module, rendering, name=name, task=model.task, limits=limits)
    held = _held(decoder, weights, name, packing=packing_of(parts, name))
    with loaded(parts, held):
        limits = _fitting(held, limits, name, parts)
    opening = Opening(
        name=name,
        model=str(name_or_path),
        decoder=held,
        weights=decoder,
        tokenizer=rendering.tokenizer,
        slots=limits.slots,
        capacity=min(decoder.shape.context, limits.context or decoder.shape.context),
        addressed=model.addressed,
    )
    held, joined = accelerated(opening, parts)
    try:
        return GeneratingEngine(held, rendering, name=name, task=model.task, limits=limits, joined=joined)
    except BaseException:  # there was no memory for keys and values
        joined.close()
        held.close()
        raise


def load_decoder(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    weights: Weights = "auto",
    threads: int | None = None,
    registry: Registry | None = None,
) -> tuple[StepDecoder, Any]:
    """What computes the steps of a Llama-like model, and the model's tokenizer, without an engine around them.

    Args:
        name_or_path: as of :func:`open_engine`; so are the others but the next.
        threads: that compute, on a processor. Default: as many as PyTorch uses.

    Raises:
        ModelError: the model cannot be used, or has other layers.
        DeniedError: a gate does not let it happen.
    """
    model = load(name_or_path, device=device, registry=registry)
    name = Path(str(name_or_path)).name
    wanted = weights if weights in ("auto", "bf16") else "fp32"
    if choose_precision(wanted, model.module, model.device).name == "bf16":
        model.module.to(torch.bfloat16)
    decoder = Decoder.of(model.module) if model.definition.generates else None
    if decoder is None:
        raise ModelError(
            f"{name} is computed otherwise",
            given=f"a model of the task {model.task}",
            expected="a Llama-like decoder that writes",
            fix="name another model",
        )
    language: Any = model.definition
    return _held(decoder, weights, name, threads=threads), language.tokenizer


def _other_engine(text: str, registry: Registry) -> tuple[Callable[..., Engine], str] | None:
    """What makes the engine that ``ENGINE:ADDRESS`` names, and the address; ``None`` where no engine is named."""
    engine, colon, address = text.partition(":")
    names = {name for one in registry.all("engine") for name in (one.spec.name, one.full_name)}
    if not colon or engine not in names:
        return None
    make: Any = registry.load("engine", engine)
    return make, address


def _takes(make: Callable[..., Engine], scheduler: Scheduler | None, engine: str) -> dict[str, Scheduler]:
    """The scheduler, for an engine that takes one.

    Raises:
        ModelError: it does not.
    """
    if scheduler is None:
        return {}
    if "scheduler" not in inspect.signature(make).parameters:
        raise ModelError(
            f"the engine {engine} takes no scheduler: it has an order of its own",
            given=f"the scheduler {type(scheduler).__name__}",
            expected="a model that is computed here, or an engine whose target takes `scheduler`",
            fix="leave the scheduler out, or serve the model itself",
        )
    return {"scheduler": scheduler}


def _held(
    decoder: Decoder, weights: Weights, name: str, *, threads: int | None = None, packing: Packing | None = None
) -> StepDecoder:
    """What computes: on a processor compiled code, with linear layers in fewer bits where that is asked for."""
    if decoder.device.type != "cpu":
        _refuse(weights, name, "it is on a GPU")
        return decoder
    from tunesmith.engine.jit.native import code_folder  # and with it Numba, which other models need not wait for

    own: Any = dtype_name(decoder.dtype)
    stored: Stored = ("fp16" if own == "fp32" else own) if weights == "auto" else weights
    begin = time.monotonic()
    with telling_of_machine_code("numba", code_folder()):
        try:
            compiled = _compiled(decoder, stored, name, threads, packing)
        except OverflowError as error:
            if weights != "auto":
                _refuse(weights, name, str(error))
            compiled = _compiled(decoder, own, name, threads, packing)
        if compiled is not None:
            compile_choosing(decoder.shape.vocabulary)
    if compiled is not None:
        _log.info("%s: its step was compiled and tried in %.1f s", name, time.monotonic() - begin)
        return compiled
    _refuse(weights, name, "what was compiled for this processor does not compute what the model computes")
    _log.warning("%s: compiled code does not compute what the model computes here; PyTorch does it, slower", name)
    return decoder


def _compiled(
    decoder: Decoder, stored: Stored, name: str, threads: int | None, packing: Packing | None
) -> CompiledDecoder | None:
    """Compiled steps, with weights in a form of their own if what they compute then is what the model computes."""
    from tunesmith.engine.compiled import CompiledDecoder

    made = CompiledDecoder.of(decoder, stored, threads=threads, packing=packing)
    if made is None and packing is not None:
        _log.warning("%s: its weights stay as they are: %s did not keep them", name, type(packing).__name__)
        made = CompiledDecoder.of(decoder, stored, threads=threads)
    return made


def _refuse(weights: Weights, name: str, reason: str) -> None:
    if weights in ("fp16", "int8"):
        raise ModelError(
            f"{name} cannot be held in {weights}",
            given=reason,
            expected="a Llama-like decoder on a processor",
            fix="leave weights at auto",
        )


def _fitting(decoder: StepDecoder, limits: Limits, name: str, parts: Sequence[Acceleration]) -> Limits:
    """Fewer slots where the memory does not hold all of them, with what accelerations take for each."""
    room = room_on(decoder.device)
    if room is None:
        return limits
    context = min(decoder.shape.context, limits.context or decoder.shape.context)
    each = context * bytes_per_token(decoder.shape, decoder.dtype) + sum(part.bytes_per_slot(context) for part in parts)
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
