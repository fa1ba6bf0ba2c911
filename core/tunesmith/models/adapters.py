# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Low-rank adapters by way of peft.

LoRA (Hu et al. 2021, arXiv:2106.09685), rank-stabilised scaling (Kalajdzievski 2023, arXiv:2312.03732), DoRA (Liu et
al. 2024, arXiv:2402.09353), and QLoRA (Dettmers et al. 2023, arXiv:2305.14314; ``quantize.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.models.fresh import new_parameters, seeded
from tunesmith.models.quantize import quantize_linear
from tunesmith.models.quiet import quiet_libraries
from tunesmith.models.shapes import shapes_suffice, with_real_weights
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import MethodSection

if TYPE_CHECKING:
    from torch import nn

__all__ = ["add_adapter", "head_modules", "is_adapted", "linear_layers", "load_adapter", "resume_adapter"]

DEFAULT_RANK = 16
DEFAULT_STABLE_ALPHA = 8.0
"""With alpha / √rank: the scale at the default rank is the 2 that alpha / rank has by default."""


def is_adapted(model: nn.Module) -> bool:
    """Whether ``model`` is a base model with a peft adapter around it."""
    return hasattr(model, "peft_config")


def load_adapter(source: ModelSource, base: Any) -> Any:
    """Put a saved adapter around its base model; nothing of it is trainable.

    Raises:
        ModelError: adapter and base do not fit, or the adapter's file lacks weights.
    """
    from peft import PeftModel
    from peft.utils import get_peft_model_state_dict
    from safetensors import SafetensorError, safe_open

    folder = source.folder
    assert folder is not None
    try:
        with quiet_libraries(), seeded(0):
            model = PeftModel.from_pretrained(base, str(folder), is_trainable=False, local_files_only=True)
            expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as stored:
            found = set(stored.keys())
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"the adapter {source.name} does not fit the model under it",
            given=f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0],
            expected=f"an adapter that was trained on {base.name_or_path or type(base).__name__}",
            fix="check base_model_name_or_path in adapter_config.json",
        ) from error
    missing = expected - found
    if missing:
        raise ModelError(
            f"the adapter {source.name} lacks weights: {folder}",
            given=f"{len(missing)} missing, e.g. {min(missing)}",
            expected="every weight of the layers that adapter_config.json names",
            fix="the file is incomplete or belongs to another adapter: copy or download it again",
        )
    model.eval()
    return model


def add_adapter(model: Any, method: MethodSection, *, seed: int) -> nn.Module:
    """A new adapter around ``model``; only it and a classification head are trainable.

    Raises:
        ModelError: a target is no linear layer of the model, there is none at all, the base cannot be found again, or
            ``quantize`` cannot be done here.
    """
    from peft import LoraConfig, get_peft_model

    if not getattr(model, "name_or_path", ""):
        raise ModelError(
            "an adapter needs a trained model under it, and this one starts from scratch",
            given="method: lora with an untrained model",
            expected="a model folder, a named model or a hub id",
            fix="use method: full",
        )
    rank = method.rank or DEFAULT_RANK
    default_alpha = DEFAULT_STABLE_ALPHA if method.rslora else 2 * rank
    if method.quantize is not None:
        quantize_linear(model, linear_layers(model))
    config = LoraConfig(
        r=rank,
        lora_alpha=default_alpha if method.alpha is None else method.alpha,
        use_rslora=method.rslora,
        use_dora=method.dora,
        lora_dropout=method.dropout or 0.0,
        target_modules=_targets(model, method),
        modules_to_save=head_modules(model) or None,
        task_type=_task_type(model),
        revision=getattr(model, "_tunesmith_revision", None),
    )
    with quiet_libraries(), seeded(seed):
        if shapes_suffice():
            return with_real_weights(lambda: get_peft_model(model, config))
        return get_peft_model(model, config)  # type: ignore[no-any-return]


def resume_adapter(model: Any, method: MethodSection) -> nn.Module:
    """Make the adapter that ``model`` came with trainable again.

    Raises:
        ModelError: the recipe asks for another rank, alpha, dropout or targets than it has.
    """
    keys = ("rank", "alpha", "dropout", "targets", "rslora", "dora", "quantize")
    asked = [key for key in keys if method.given(key)]
    if asked:
        raise ModelError(
            f"the model is an adapter already, and its {', '.join(asked)} cannot be changed",
            given=", ".join(f"{key}: {getattr(method, key)}" for key in asked),
            expected="method: lora, with nothing else: training goes on with the adapter as it is",
            fix="leave these keys out, or start from the model under the adapter",
        )
    names = tuple(model.peft_config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(f".{adapter}." in name for adapter in names)
    for settings in model.peft_config.values():
        settings.inference_mode = False
    return model  # type: ignore[no-any-return]


def linear_layers(model: Any) -> list[str]:
    """Full names of the linear layers an adapter can go around: all but the output layer and new layers."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    heads = tuple(f"{name}." for name in head_modules(model))
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and module is not output and not f"{name}.".startswith(heads)
    ]


def head_modules(model: Any) -> list[str]:
    """Modules that are trained and saved whole beside an adapter: a classification head, and whatever is new.

    A language model has none: its output layer stays.
    """
    base = getattr(model, "base_model_prefix", "")
    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    headless = getattr(model, "_tunesmith_headless", False)
    # What stands beside the output layer of an encoder-decoder (T5's two stacks) is the body, whatever it is called.
    whole = headless or (output is not None and getattr(model.config, "is_encoder_decoder", False))
    heads = {
        name
        for name, child in model.named_children()
        if not whole and name != base and child is not output and any(True for _ in child.parameters())
    }
    new = {name.rpartition(".")[0] for name in new_parameters(model)}
    return sorted(heads | {name for name in new if name.partition(".")[0] not in heads})


def _targets(model: Any, method: MethodSection) -> list[str]:
    layers = linear_layers(model)
    if not layers:
        raise ModelError(
            "the model has no linear layer that an adapter could go around",
            given=type(model).__name__,
            expected="a model with linear layers under its output layer",
            fix="use method: full or method: head",
        )
    if method.targets is None:
        return layers
    unknown = [target for target in method.targets if not any(_matches(layer, target) for layer in layers)]
    if unknown:
        raise ModelError(
            "the model has no linear layers of these names",
            given=f"targets: {', '.join(unknown)}",
            expected="some of " + ", ".join(sorted({layer.rpartition(".")[2] for layer in layers})),
            fix="correct `targets` of the method, or leave it out to adapt all of them",
        )
    return [layer for layer in layers if any(_matches(layer, target) for target in method.targets)]


def _matches(layer: str, target: str) -> bool:
    return layer == target or layer.endswith(f".{target}")


def _task_type(model: Any) -> str | None:
    """peft's word for the head, so that other programs load the adapter with the right one."""
    name = type(model).__name__
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return "CAUSAL_LM"
    if model.config.is_encoder_decoder and model.get_output_embeddings() is not None:
        return "SEQ_2_SEQ_LM"
    heads = {
        "SequenceClassification": "SEQ_CLS",
        "TokenClassification": "TOKEN_CLS",
        "QuestionAnswering": "QUESTION_ANS",
    }
    return next((kind for head, kind in heads.items() if name.endswith(f"For{head}")), None)
