# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The frozen part of a model runs once per row; epochs run over what it said.

With ``method: head`` everything below the output layer stays as it is and computes as in evaluation, without dropout:
its answer to a row is the same in every epoch. It is computed once, kept in the cache folder, and handed to the part
that trains.

No architecture is named here. Of the outermost modules whose weights are all frozen, the one that runs last is the
*seam*: what it says is all that the trained part learns of a row. It is taught to hand on a remembered output where a
batch brings one, and computes as ever where none is brought. Of an output with a place for every token, a classifier
reads one; a trial on a few rows shows which, by giving the same loss and the same gradients. Where no trial succeeds,
nothing is remembered and training goes on as without this file.

The idea is Ludwig's ``cache_encoder_embeddings``; what it gives is in docs/benchmarks.md.

Shapes: R rows of a batch, N items of a split, L length in tokens.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from tunesmith.data.batches import batch_order
from tunesmith.data.cache import find_entry, making_entry, publish
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import evaluation_mode, frozen_modules
from tunesmith.tasks.base import Batch, Encoded, Task

__all__ = ["Frozen", "remember_frozen"]

KIND = "frozen"  # of cache entries
FORMAT = 1  # raise it when what is computed changes

_NAME = "remembered_"
_TRIED = 6  # rows of the trial
_TOKENS = {"cpu": 2048, "cuda": 8192}
"""Of a batch. On a processor, activations that stay in its cache: MiniLM made 5,760 tokens/s with 2,048 a batch, 4,480
with 8,192 and 5,150 with 1,024 (Zen 3, two threads, rows of 16 tokens, plain attention)."""
_log = logging.getLogger(__name__)

Items = Mapping[str, Sequence[Encoded]]
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Frozen:
    """Remembered outputs in the place of items.

    Attributes:
        items: of every split, one for each item they stand for, in order; their features are what was remembered.
        bytes: of all of them.
        cached: they were found in the cache folder, not computed.
    """

    items: dict[str, list[Encoded]]
    bytes: int
    cached: bool
    _one: Mapping[str, torch.Tensor]

    def fact(self) -> str:
        """A line for people."""
        size = f"{self.bytes / 1e6:,.1f} MB"
        return f"run once per row; what they said is {'read from' if self.cached else 'kept in'} the cache ({size})"

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """In the place of ``task.collate``: remembered outputs, beside inputs that nobody reads."""
        columns = {name: torch.from_numpy(np.stack([item.features[name] for item in items])) for name in _names(items)}
        labels = columns.pop("labels", None)
        return _thin_batch(self._one, columns, labels, items)


def _names(items: Sequence[Encoded]) -> Sequence[str]:
    return list(items[0].features)


def _thin_batch(
    one: Mapping[str, torch.Tensor],
    columns: Mapping[str, torch.Tensor],
    labels: torch.Tensor | None,
    items: Sequence[Encoded],
) -> Batch:
    inputs = {name: value.expand(len(items), *value.shape[1:]) for name, value in one.items()}
    return Batch(
        {**inputs, **columns},
        labels,
        targets=sum(item.targets for item in items),
        tokens=sum(item.length for item in items),
        rows=[item.row for item in items],
    )


def remember_frozen(
    model: nn.Module, task: Task[Any, Any], items: Items, *, digest: str, device: torch.device, precision: str
) -> Frozen | None:
    """Run the frozen part over every item, or find in the cache what it said.

    Args:
        model: in place. Its seam's ``forward`` is wrapped, and acts as ever on ordinary batches.
        items: of every split.
        digest: of the weights the model was loaded with.
        precision: what training computes in.

    Returns:
        ``None`` where it cannot be done: a row with more than one target, or a model that fails the trial.
    """
    if not items["train"] or any(item.targets != 1 for split in items.values() for item in split):
        return None
    with evaluation_mode(model), autocast(precision, device):
        seam = _find_seam(model, task, items["train"], device)
        if seam is None:
            return None
        key = _key(items, digest, precision, device, seam)
        arrays = _stored(key, items)
        cached = arrays is not None
        if arrays is None:
            arrays = {split: _said_of(seam, model, task, items[split], device) for split in items}
            _store(key, arrays)
    thin = {split: _thin_items(items[split], arrays[split]) for split in items}
    total = sum(array.nbytes for split in arrays.values() for array in split.values())
    return Frozen(thin, total, cached, _one_place(task, items["train"][0]))


# ---- the seam --------------------------------------------------------------------------------------------------------


class _Seam:
    """The last frozen module, able to hand on what it is given instead of computing.

    Attributes:
        place: which of an output's L places is remembered: ``first``, ``last`` or ``none``.
    """

    def __init__(self, model: nn.Module, name: str, module: nn.Module) -> None:
        self.name, self.place = name, "none"
        self._forward = module.forward
        self._said: list[Any] = []
        self._structure: Any = None
        self._given: list[Any] | None = None
        self._module, self._blank = module, list[tuple[int, ...] | None]()
        module.forward = self._hand_on
        self._handle = model.register_forward_pre_hook(self._take, with_kwargs=True)

    def _take(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Remembered outputs are taken out of the arguments before the model's own forward sees them."""
        found = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(_NAME)}
        self._given = None
        if found:
            rows = next(iter(found.values())).shape[0]
            self._given = [found.get(f"{_NAME}{leaf}", self._nothing(leaf, rows)) for leaf in range(len(self._blank))]
        return args, kwargs

    def _nothing(self, leaf: int, rows: int) -> torch.Tensor | None:
        shape = self._blank[leaf]
        return None if shape is None else torch.zeros(1).expand(rows, *shape)

    def _hand_on(self, *args: Any, **kwargs: Any) -> Any:
        given, self._given = self._given, None
        if given is not None:
            return pytree.tree_unflatten(given, self._structure)
        with torch.no_grad():
            said = self._forward(*args, **kwargs)
        self._said, self._structure = pytree.tree_flatten(said)
        return said

    def heard(self, batch: Batch) -> dict[str, torch.Tensor]:
        """What is to be remembered of the last forward pass, by leaf.

        A leaf with places gives one of them, a leaf of one vector (or picture) a row gives all of it, and what is
        neither, such as a cache of keys and values, is handed on as ``None``.
        """
        rows, length = len(batch.rows), _length(batch)
        found: dict[str, torch.Tensor] = {}
        self._blank = []
        for index, leaf in enumerate(self._said):
            blank = None
            if isinstance(leaf, torch.Tensor) and leaf.shape[:1] == (rows,) and leaf.dim() >= 2:
                if length is None or leaf.dim() == 2:
                    found[f"{_NAME}{index}"] = leaf
                elif leaf.shape[1] == length:
                    blank = (1, *leaf.shape[2:])
                    if self.place != "none":
                        found[f"{_NAME}{index}"] = _at(leaf, self.place, batch)
            self._blank.append(blank)
        return found

    def undo(self) -> None:
        del self._module.forward
        self._handle.remove()


def _at(leaf: torch.Tensor, place: str, batch: Batch) -> torch.Tensor:
    if place == "first":
        return leaf[:, :1]
    mask = batch.inputs.get("attention_mask")
    ends = torch.full((leaf.shape[0],), leaf.shape[1], device=leaf.device) if mask is None else mask.sum(1)
    return leaf[torch.arange(leaf.shape[0], device=leaf.device), ends - 1][:, None]


def _find_seam(model: nn.Module, task: Task[Any, Any], items: Sequence[Encoded], device: torch.device) -> _Seam | None:
    """The seam and the place of its output that passes the trial."""
    order = np.argsort([item.length for item in items], kind="stable")
    tried = [items[int(order[round(place)])] for place in np.linspace(0, len(items) - 1, min(_TRIED, len(items)))]
    batch = task.collate(tried).to(device)
    if batch.labels is None or batch.labels.shape[:1] != (len(tried),):
        return None
    name = _last_frozen(model, batch)
    if name is None:
        return None
    seam = _Seam(model, name, model.get_submodule(name))
    expected = _loss_and_gradients(model, task, batch)
    one = {key: value.to(device) for key, value in _one_place(task, tried[0]).items()}
    for seam.place in ("none", "first", "last"):
        _run(model, batch)
        remembered = seam.heard(batch)
        try:
            got = _loss_and_gradients(model, task, _thin_batch(one, remembered, batch.labels, tried))
        except (RuntimeError, IndexError, ValueError, TypeError, AttributeError):
            continue  # the trained part wants other shapes than this place has
        if remembered and _same(got, expected):
            return seam
    seam.undo()
    return None


def _last_frozen(model: nn.Module, batch: Batch) -> str | None:
    """The frozen module that runs last, if nothing that trains runs before it ends."""
    ran: list[str] = []
    trained = [
        (name, module)
        for name, module in model.named_modules()
        if any(weight.requires_grad for weight in module.parameters(recurse=False))
    ]
    frozen = frozen_modules(model)
    handles = [module.register_forward_pre_hook(lambda *_, name=name: ran.append(name)) for name, module in trained]
    handles += [module.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, module in frozen.items()]
    try:
        _run(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    ends = [place for place, name in enumerate(ran) if name in frozen]
    starts = [place for place, name in enumerate(ran) if name not in frozen]
    if not ends or not starts or ends[-1] > starts[0] or ran.count(ran[ends[-1]]) > 1:
        return None
    return ran[ends[-1]]


def _run(model: nn.Module, batch: Batch) -> None:
    with torch.no_grad():
        model(**batch.inputs)


def _loss_and_gradients(model: nn.Module, task: Task[Any, Any], batch: Batch) -> list[torch.Tensor]:
    moving = [weight for weight in model.parameters() if weight.requires_grad]
    loss = task.loss(model, batch)
    return [loss.detach(), *torch.autograd.grad(loss, moving, allow_unused=True, materialize_grads=True)]


def _same(got: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> bool:
    """To rounding: a product of fewer rows may be summed in another order."""
    return all(
        one.shape == two.shape and bool((one - two).norm() <= 1e-3 * two.norm() + 1e-7)
        for one, two in zip(got, expected, strict=True)
    )


def _length(batch: Batch) -> int | None:
    """L, where the inputs are tokens."""
    tokens = batch.inputs.get("input_ids")
    return None if tokens is None else tokens.shape[1]


def _one_place(task: Task[Any, Any], item: Encoded) -> dict[str, torch.Tensor]:
    """Inputs of one row and, where they are tokens, of one token: what the trained part sees beside the remembered."""
    batch = task.collate([item])
    length = _length(batch)
    return {
        name: value[:, :1] if length is not None and value.shape[1:2] == (length,) else value
        for name, value in batch.inputs.items()
    }


# ---- what it said ----------------------------------------------------------------------------------------------------


def _said_of(
    seam: _Seam, model: nn.Module, task: Task[Any, Any], items: Sequence[Encoded], device: torch.device
) -> Arrays:
    """Remembered leaves, (N, …) each, and ``labels``."""
    arrays: Arrays = {}
    lengths = np.asarray([item.length for item in items], dtype=np.int64)
    rows = task.default_rows_per_batch
    tokens = None if rows or not items else max(_TOKENS[device.type], int(lengths.max()))
    for group in batch_order(lengths, tokens=tokens, rows=rows, seed=0, epoch=0, shuffle=False) if items else ():
        batch = task.collate([items[int(place)] for place in group]).to(device)
        _run(model, batch)
        said = {**seam.heard(batch), **({} if batch.labels is None else {"labels": batch.labels})}
        for name, values in said.items():
            numbers = (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()
            if name not in arrays:
                arrays[name] = np.empty((len(items), *numbers.shape[1:]), dtype=numbers.dtype)
            arrays[name][group] = numbers
    return arrays


def _thin_items(items: Sequence[Encoded], arrays: Arrays) -> list[Encoded]:
    return [
        Encoded(
            {name: array[place] for name, array in arrays.items()},
            length=item.length,
            targets=item.targets,
            row=item.row,
        )
        for place, item in enumerate(items)
    ]


def _key(items: Items, digest: str, precision: str, device: torch.device, seam: _Seam) -> str:
    """Everything the outputs follow from: rows as numbers, weights, and what computes them."""
    import transformers

    versions = (torch.__version__, transformers.__version__, torch.backends.cpu.get_cpu_capability())
    facts = (FORMAT, digest, precision, device.type, seam.name, seam.place, versions)
    whole = hashlib.sha256(repr(facts).encode())
    for split, rows in items.items():
        whole.update(f"\n{split} {len(rows)}".encode())
        for item in rows:
            for name, array in item.features.items():
                whole.update(f"{name}{array.dtype.str}{array.shape}".encode())
                whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def _stored(key: str, items: Items) -> dict[str, Arrays] | None:
    entry = find_entry(KIND, key)
    if entry is None:
        return None
    arrays: dict[str, Arrays] = {split: {} for split in items}
    for path in sorted(entry.glob("*.npy")):
        split, _, name = path.stem.partition(".")
        arrays[split][name] = np.load(path, mmap_mode="r", allow_pickle=False)
    return arrays


def _store(key: str, arrays: Mapping[str, Arrays]) -> None:
    """Keep it for the next job. A disk that is full costs that job the time to compute it again, no more."""
    try:
        with making_entry(KIND, key) as folder:
            if folder is None:
                return
            for split, found in arrays.items():
                for name, array in found.items():
                    np.save(Path(folder) / f"{split}.{name}.npy", array, allow_pickle=False)
            publish(folder, {"splits": {split: sorted(found) for split, found in arrays.items()}})
    except OSError as error:
        _log.warning("what the frozen layers said could not be cached: %s", error)
