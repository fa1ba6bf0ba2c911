# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which weights move: all of them, the output layer, or low-rank adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.models.adapters import add_adapter, head_modules, is_adapted, resume_adapter
from tunesmith.models.freezing import freeze
from tunesmith.recipe.schema import MethodSection

if TYPE_CHECKING:
    from torch import nn

__all__ = ["apply_method", "count_parameters", "evaluation_mode", "frozen_modules", "training_mode"]


def apply_method(model: nn.Module, method: MethodSection, *, seed: int | None = None) -> nn.Module:
    """Set what is trainable.

    - ``full``: every parameter, but those that ``freeze`` names.
    - ``head``: the output layer, that is, what lies outside the base model, and layers the checkpoint did not hold.
    - ``lora``: adapters of rank 16 and alpha 2 × rank around every linear layer below the output, no dropout; with
      ``rslora``, ``dora`` and ``quantize`` as the papers that the recipe's reference names describe them; a
      classification head is trained and saved with them. Only linear layers are adapted: of a convolutional net those
      of its body. A model that is an adapter already goes on training it.

    Args:
        model: from ``load_weights``; changed in place.
        method: of the recipe.
        seed: of the adapters' initial weights; default: the one the model was loaded with.

    Returns:
        The model, or the ``PeftModel`` around it.

    Raises:
        ModelError: the method cannot be used with this model; the message says which can.
    """
    if is_adapted(model):
        if method.name == "lora":
            return resume_adapter(model, method)
        raise ModelError(
            f"the model is an adapter over another model, and method: {method.name} cannot train it",
            given=f"method: {method.name}",
            expected="method: lora, which goes on training the adapter",
            fix="use method: lora, or name the model under the adapter",
        )
    if method.name == "lora":
        return add_adapter(model, method, seed=getattr(model, "_tunesmith_seed", 0) if seed is None else seed)
    if method.name == "full":
        model.requires_grad_(True)
        freeze(model, method.freeze)
        return model
    trainable = _head_parameters(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name in trainable
    return model


def training_mode(model: nn.Module) -> None:
    """``model.train()``, except for what is frozen.

    Frozen layers without an adapter inside compute as in evaluation: nothing in them learns to bear dropout, and what
    they say of a row stays the same (``training/frozen.py`` builds on it). Batch normalization whose weights do not
    move keeps its running statistics. They are weights in all but name: a layer said to be frozen would change, and an
    adapter is saved without them, so that it would be served over other statistics than it was trained with.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    model.train()
    if not is_adapted(model):
        for module in frozen_modules(model).values():
            module.eval()
    for module in model.modules():
        running = isinstance(module, _BatchNorm) and module.track_running_stats
        if running and not any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
            module.eval()


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """``model.eval()`` for a while; afterwards every module is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def frozen_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The outermost modules that have weights, none of which train, by name."""
    found: dict[str, nn.Module] = {}

    def walk(prefix: str, module: nn.Module) -> None:
        weights = list(module.parameters())
        if prefix and weights and not any(weight.requires_grad for weight in weights):
            found[prefix] = module
            return
        for name, child in module.named_children():
            walk(f"{prefix}.{name}" if prefix else name, child)

    walk("", model)
    return found


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """How many numbers are trained, and how many there are; shared weights count once."""
    parameters = list(model.parameters())
    return sum(one.numel() for one in parameters if one.requires_grad), sum(one.numel() for one in parameters)


def _head_parameters(model: Any) -> set[str]:
    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if output is not None:
        inputs = model.get_input_embeddings()
        if inputs is not None and output.weight is inputs.weight:
            raise ModelError(
                "method: head trains the output layer alone, and in this model it is also the input embedding",
                given=f"{type(model).__name__} with tie_word_embeddings",
                expected="a model whose output layer is a matrix of its own",
                fix="use method: lora (few trainable weights) or method: full",
            )
        inside = {id(parameter) for parameter in output.parameters()}
        return {name for name, parameter in model.named_parameters() if id(parameter) in inside}
    heads = tuple(f"{name}." for name in head_modules(model))
    found = {name for name, _ in model.named_parameters() if name.startswith(heads)}
    if not found:
        raise ModelError(
            "method: head cannot find the output layer of this model",
            given=type(model).__name__,
            expected="parameters outside the base model",
            fix="use method: full or method: lora",
        )
    return found
