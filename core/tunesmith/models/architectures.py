# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which class a configuration and a head ask for: transformers' own, or a registered architecture's.

A registered architecture (``ModelSpec`` with ``weights=False``) that is not one of transformers' says two things on its
configuration class: ``model_type``, which is its full name with ``-`` for ``/`` (``tunesmith-cnn``), and ``heads``, the
name of its model class for each head. Nothing is entered into transformers' global tables.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tunesmith.errors import ModelError
from tunesmith.models.check import read_json
from tunesmith.models.quiet import quiet_libraries
from tunesmith.models.source import ScratchOptions
from tunesmith.plugin.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from tunesmith.registry import Registry

__all__ = ["Head", "model_class", "read_config", "scratch_config"]

Head = Literal[
    "features",
    "causal-lm",
    "seq2seq-lm",
    "sequence-classification",
    "image-classification",
    "token-classification",
    "question-answering",
    "tabular",
]
_NEEDS: dict[str, str] = {
    "features": "a text model (bert, llama, …)",
    "causal-lm": "a decoder (llama, gpt2, …)",
    "seq2seq-lm": "an encoder with a decoder (t5, bart, marian, …)",
    "sequence-classification": "a text model with a classification head (bert, llama, …)",
    "image-classification": "an image model (vit, resnet, cnn, …)",
    "token-classification": "a text model with a head over tokens (bert, llama, …)",
    "question-answering": "a text model with a head for answers (bert, llama, …)",
    "tabular": "a net for tables (scratch:tabular-mlp)",
}


def scratch_config(options: ScratchOptions, registry: Registry) -> PreTrainedConfig:
    """The configuration of an untrained model, from its registered builder.

    Raises:
        NotFoundError: no architecture of that name.
        ModelError: the builder cannot make what is asked for, e.g. a size too small for the vocabulary.
    """
    build = cast(Any, registry.load("model", options.architecture))
    return build(options)


def read_config(folder: Path, registry: Registry, overrides: dict[str, Any], *, trust_remote_code: bool) -> Any:
    """The configuration of a model folder.

    Args:
        overrides: values that replace those of ``config.json``, e.g. ``num_labels``.

    Raises:
        ModelError: ``config.json`` is damaged, or of an architecture that is not installed.
        TypeError: an override is no value of this configuration.
    """
    from transformers import AutoConfig

    values = read_json(folder / "config.json")
    own = _registered_config(str(values.get("model_type", "")), registry)
    try:
        with quiet_libraries():
            loaded = (own or AutoConfig).from_pretrained(
                folder,
                return_unused_kwargs=True,
                local_files_only=True,
                **({} if own else {"trust_remote_code": trust_remote_code}),
                **overrides,
            )
    except Exception as error:  # their checks raise of everything, and what is wrong is in the file either way
        raise ModelError(
            f"the model's config.json cannot be used: {folder / 'config.json'}",
            given=f"model_type {values.get('model_type')!r}: {str(error).strip() or repr(error)}".splitlines()[0],
            expected="an architecture that the installed transformers or a plugin has",
            fix=(
                "update transformers: pip install -U transformers",
                "or install the plugin that has this architecture",
            ),
        ) from error
    config, unused = loaded
    unused = {key: value for key, value in unused.items() if key not in ("local_files_only", "trust_remote_code")}
    if unused:
        raise TypeError(f"{type(config).__name__} has no {', '.join(sorted(unused))}")
    return config


def model_class(config: PreTrainedConfig, head: Head, *, name: str) -> type[PreTrainedModel]:
    """The class of the whole model.

    Args:
        name: the model as the user wrote it, for messages.

    Raises:
        ModelError: this architecture has no such head.
    """
    own = getattr(type(config), "heads", None)
    if own is not None:
        if head not in own:
            raise _no_head(config, head, name)
        return cast("type[PreTrainedModel]", getattr(sys.modules[type(config).__module__], own[head]))
    return cast("type[PreTrainedModel]", _transformers_class(config, head, name))


def _transformers_class(config: PreTrainedConfig, head: Head, name: str) -> Any:
    from transformers import (
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForImageClassification,
        AutoModelForQuestionAnswering,
        AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    autos: dict[str, Any] = {
        "features": AutoModel,
        "causal-lm": AutoModelForCausalLM,
        "seq2seq-lm": AutoModelForSeq2SeqLM,
        "sequence-classification": AutoModelForSequenceClassification,
        "image-classification": AutoModelForImageClassification,
        "token-classification": AutoModelForTokenClassification,
        "question-answering": AutoModelForQuestionAnswering,
    }
    auto = autos.get(head)
    if auto is None:  # a word of a plugin's: only architectures that name it have it
        raise _no_head(config, head, name)
    # BERT and its kin have a language model class too, but they read both ways: no loss for what comes next.
    reads_both_ways = head == "causal-lm" and getattr(config, "is_decoder", None) is False
    if type(config) not in auto._model_mapping and auto.__name__ in (getattr(config, "auto_map", None) or {}):
        return auto  # the model's own code; the configuration is of that code too, so it was asked for
    if reads_both_ways or type(config) not in auto._model_mapping:
        raise _no_head(config, head, name)
    found = auto._model_mapping[type(config)]
    return found[0] if isinstance(found, (tuple, list)) else found


def _registered_config(model_type: str, registry: Registry) -> Any:
    """The configuration class of a registered architecture, or ``None``."""
    for provided in registry.all("model"):
        if not cast(ModelSpec, provided.spec).weights and provided.full_name.replace("/", "-") == model_type:
            options = ScratchOptions(
                architecture=provided.full_name, size=None, tokenizer="byte", vocabulary=512, context=64, seed=0
            )
            return type(scratch_config(options, registry))
    return None


def _no_head(config: PreTrainedConfig, head: Head, name: str) -> ModelError:
    return ModelError(
        f"{name} cannot be used for {head}",
        given=f"architecture {config.model_type}",
        expected=_NEEDS.get(
            head, f"an architecture that has {head!r} among its heads, as the plugin of this task brings"
        ),
        fix="choose a model of the right kind, or the task that fits this one",
    )
