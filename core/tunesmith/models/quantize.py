# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""QLoRA (Dettmers et al. 2023, arXiv:2305.14314): frozen linear layers in 4 bits under adapters in full precision.

The 4-bit layers are bitsandbytes'. They are put in place while the weights are still on the processor; each is
quantized when it moves to the GPU, so that the GPU never holds more than one layer in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tunesmith.errors import ModelError

__all__ = ["quantize_linear"]


def quantize_linear(model: Any, layers: Sequence[str]) -> int:
    """Put 4-bit layers (NF4, with quantized constants) in the place of linear layers; they never train.

    Args:
        model: a transformers model on the processor; changed in place.
        layers: full names. Convolutions written as matrices (GPT-2's ``Conv1D``) stay as they are.

    Returns:
        How many were replaced.

    Raises:
        ModelError: there is no CUDA GPU, bitsandbytes is not installed, or nothing could be replaced.
    """
    bitsandbytes = _library()
    import torch
    from torch import nn

    compute = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    replaced = 0
    for name in layers:
        layer = model.get_submodule(name)
        if type(layer) is not nn.Linear:
            continue
        small = bitsandbytes.nn.Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            compute_dtype=compute,
            compress_statistics=True,
            quant_type="nf4",
            device="meta",
        )
        small.weight = bitsandbytes.nn.Params4bit(
            layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True, module=small
        )
        if layer.bias is not None:
            small.bias = nn.Parameter(layer.bias.data, requires_grad=False)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, small)
        replaced += 1
    if not replaced:
        raise ModelError(
            "method.quantize found no linear layer to hold in 4 bits",
            given=type(model).__name__,
            expected="a model made of torch.nn.Linear layers",
            fix="leave method.quantize out",
        )
    model.is_loaded_in_4bit = True  # what peft asks before it puts its adapters around 4-bit layers
    return replaced


def _library() -> Any:
    import torch

    if not torch.cuda.is_available():
        raise ModelError(
            "method.quantize needs a CUDA GPU, and PyTorch sees none here",
            given="method.quantize: nf4",
            expected=f"a CUDA build of PyTorch and a visible GPU; this is PyTorch {torch.__version__}",
            fix=["leave method.quantize out: the adapters then train over the exact weights", "see `tunesmith doctor`"],
        )
    try:
        return import_module("bitsandbytes")
    except ImportError as error:
        raise ModelError(
            "method.quantize needs the package bitsandbytes",
            given=str(error),
            expected="bitsandbytes beside tunesmith",
            fix="pip install 'tunesmith[qlora]'",
        ) from error
