# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The repeated layers of a model, compiled (``torch.compile``): a graph for all of them, and for batches of any shape.

Only what repeats is compiled, each layer in place: the names of weights stay, and the time it takes does not grow with
the depth. What surrounds the layers (embeddings, output layer, loss) and evaluation compute as ever.

Which shapes a graph is for, and in which order it sums, PyTorch decides by the shapes it was made of (on a processor,
graphs for up to 4,096 places are others than those for more). So that a job that was stopped goes on with the same
graphs, they are made of a few batches that are a function of the job alone, before its first step and again when it is
resumed, and never later: a batch that none of them fits goes through the plain layers, and is counted. For the same
reason a graph that PyTorch has kept is taken only where it was made of the very same shapes, after the same others.

What is compiled lies in the cache's folder ``compiled``, or in ``TORCHINDUCTOR_CACHE_DIR``, a folder for each kind of
layers and shapes.

One thing differs from the plain layers: dropout in them is PyTorch's own, compiled, another stream of random numbers.
What compiling gives, and where it gives nothing, is in docs/explanation/tried.md.

Shapes: R rows of a batch, L length of its longest row.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tunesmith._plugins import telling_of_machine_code
from tunesmith.data.cache import cache_folder
from tunesmith.errors import TrainingError
from tunesmith.tasks.base import Batch
from tunesmith.tasks.encoded import item_lengths
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.supervised import plain_model
from tunesmith.training.batches import collated_parts
from tunesmith.training.compile_choice import repeated_layers
from tunesmith.training.loop import Job
from tunesmith.training.memory import undisturbed
from tunesmith.training.randomness import own_random_state

__all__ = ["Compilation", "compiled"]

_log = logging.getLogger(__name__)
_BACKEND = "inductor"
_FOLDER, _KERNELS = "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"
_SAMPLES = (0.5, 0.0, 1.0, 0.25, 0.75)
"""Places among the batches of the first epoch, ordered by what they cost: the middle one first, then the ends."""
_GRAPHS = 64
"""At most, of one kind of layer; PyTorch's own limit of 8 is for graphs that come by surprise."""


@dataclass(slots=True)
class Compilation:
    """What was compiled, and what it took.

    Attributes:
        layers: how many.
        graphs: made for them; layers of one kind share theirs.
        seconds: that the first pass over every sample took, compilation included.
        rows, tokens: of the middle sample.
        step: seconds of forward and backward of the middle sample, compiled.
        plain: 0-based steps in which a layer was not computed by a graph.
    """

    layers: int
    graphs: int = 0
    seconds: float = 0.0
    rows: int = 0
    tokens: int = 0
    step: float = 0.0
    plain: set[int] = field(default_factory=set)

    def note(self) -> str:
        """For people, before the first step."""
        size = plural(self.rows, "row") + (f" of {self.tokens:,} tokens" if self.tokens > self.rows else "")
        return (
            f"compiled {plural(self.layers, 'layer')} ({plural(self.graphs, 'graph')}) in {self.seconds:.1f} s; "
            f"forward and backward of {size} take {self.step:.3g} s"
        )

    def afterword(self) -> str:
        """For people, after the last step, where some were ``plain``."""
        return f"in {plural(len(self.plain), 'step')} no graph fitted the shape of the batch: computed uncompiled"


@contextmanager
def compiled(job: Job) -> Iterator[Compilation | None]:
    """Within the block the model's repeated layers are compiled, where the recipe says so.

    Weights, gradients, running statistics and random states are as they were before.

    Raises:
        TrainingError: PyTorch cannot compile them.
    """
    if job.work.recipe.train.compile is not True:
        yield None
        return
    import torch._dynamo

    layers = repeated_layers(job.work.model)
    found = Compilation(len(layers))
    with ExitStack() as stack:
        torch._dynamo.reset()  # graphs of an earlier job in this process were made for other shapes
        stack.callback(_without_cache(job.work.model).remove)
        for layer in layers:
            stack.callback(_count_plain(layer, job, found).remove)
            stack.callback(setattr, layer, "_compiled_call_impl", None)
            layer.compile(dynamic=True, backend=_BACKEND)
        try:
            _make_graphs(job, found)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise _cannot(error) from error
        stack.callback(torch._dynamo.reset)
        stack.enter_context(torch.compiler.set_stance("eager_on_recompile"))
        yield found


def _without_cache(model: nn.Module) -> Any:
    """A hook that keeps a model from filling a cache of keys and values: every layer would need a graph of its own."""
    takes = "use_cache" in inspect.signature(type(plain_model(model)).forward).parameters

    def refuse(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {"use_cache": False, **kwargs} if takes and module.training else kwargs

    return model.register_forward_pre_hook(refuse, with_kwargs=True)


def _count_plain(layer: nn.Module, job: Job, found: Compilation) -> Any:
    """A hook that notes the steps in which the layer's own code runs."""

    def count(module: nn.Module, _: Any) -> None:
        if not torch.compiler.is_compiling() and module.training:  # in a graph, nothing is left of this
            found.plain.add(job.progress.step)

    # Not on the layer itself: PyTorch calls hooks of what it was asked to compile before it looks for a graph.
    leaf = next(one for one in layer.modules() if next(one.parameters(recurse=False), None) is not None)
    return leaf.register_forward_pre_hook(count)


def _make_graphs(job: Job, found: Compilation) -> None:
    import torch._dynamo
    import torch._functorch.config
    import torch._inductor.config
    import torch.compiler.config
    import torch.fx.experimental._config
    from torch._dynamo.utils import counters

    work = job.work
    samples = [collated_parts(work, batch) for batch in _samples(job)]
    before = counters["stats"]["unique_graphs"]
    with (
        undisturbed(work),
        own_random_state(work.recipe.train.seed, work.strategy.device),
        torch._inductor.config.patch(fx_graph_cache=True, fx_graph_remote_cache=False),
        torch._functorch.config.patch(enable_autograd_cache=True, enable_remote_autograd_cache=False),
        torch._dynamo.config.patch(recompile_limit=_GRAPHS),
        # That R equals L, once, says nothing. (`patch` is put into the module when it is imported.)
        torch.fx.experimental._config.patch(use_duck_shape=False),  # type: ignore[attr-defined]
        _kept(job, samples),
    ):
        started = time.perf_counter()
        for number, parts in enumerate(samples, start=1):
            with torch.compiler.config.patch(cache_key_tag=_shapes(samples[:number])):  # type: ignore[attr-defined]
                _pass(job, parts)
        found.seconds = time.perf_counter() - started
        started = time.perf_counter()
        _pass(job, samples[0])
        found.step = time.perf_counter() - started
    found.graphs = counters["stats"]["unique_graphs"] - before
    found.rows, found.tokens = (
        sum(sizes) for sizes in zip(*((len(p.rows), p.tokens) for p in samples[0]), strict=True)
    )
    found.plain.clear()


@contextmanager
def _kept(job: Job, samples: list[list[Batch]]) -> Iterator[None]:
    """Within the block PyTorch keeps what it compiles in a folder for such layers and shapes, of which plugins hear."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    given = os.environ.get(_FOLDER)
    by_user = given is not None and given != default_cache_dir()  # PyTorch itself sets the variable to its default
    root = Path(given) if by_user and given is not None else cache_folder("compiled")
    if root is None:
        yield
        return
    layers = repeated_layers(job.work.model)
    kinds = dict.fromkeys(
        f"{layer} {[(name, one.dtype, one.requires_grad) for name, one in layer.named_parameters()]}"
        for layer in layers
    )
    made_of = (torch.__version__, str(job.work.strategy.device), job.work.recipe.train.precision, *kinds)
    folder = root / hashlib.sha256("\0".join((*made_of, _shapes(samples))).encode()).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _log.warning("machine code is not kept: %s", error)
        yield
        return
    os.environ[_FOLDER] = str(folder)
    kernels = os.environ.get(_KERNELS)
    if kernels is None or Path(kernels).is_relative_to(given or default_cache_dir()):  # by PyTorch, for an earlier job
        os.environ.pop(_KERNELS, None)  # it names one in this job's folder when it first needs it
    try:
        with telling_of_machine_code("torch", folder):
            yield
    finally:
        for name, value in ((_FOLDER, given), (_KERNELS, kernels)):
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _shapes(samples: list[list[Batch]]) -> str:
    """A digest of everything that goes into the model, in order: what decides which graphs are made."""
    inputs = [
        [
            sorted((name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in part.inputs.items())
            for part in parts
        ]
        for parts in samples
    ]
    return hashlib.sha256(repr(inputs).encode()).hexdigest()


def _pass(job: Job, parts: list[Batch]) -> None:
    targets = torch.tensor(float(max(1, sum(part.targets for part in parts))), device=job.work.strategy.device)
    job.backward(parts, targets).item()  # waits for a GPU
    job.optimizer.zero_grad(set_to_none=True)


def _samples(job: Job) -> list[NDArray[np.int64]]:
    """Batches of the first epoch, from the cheapest to the costliest."""
    lengths = item_lengths(job.work.items["train"])
    ordered = sorted(job.work.feed.epoch(0), key=lambda batch: (len(batch) * int(lengths[batch].max()), len(batch)))
    places = dict.fromkeys(round(place * (len(ordered) - 1)) for place in _SAMPLES)
    return [ordered[place] for place in places]


def _cannot(error: Exception) -> TrainingError:
    return TrainingError(
        "PyTorch cannot compile the layers of this model",
        given=" ".join(str(error).split())[:300],
        expected="layers that torch.compile takes, and a working compiler",
        fix="--set train.compile=false",
    )
