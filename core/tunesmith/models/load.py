# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a checked source to a model in memory: float32, on the CPU, in evaluation mode.

What a checkpoint does not hold is never made up in silence: only a new output layer may be, and then its initial values
follow from the seed.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.models.adapters import head_modules, load_adapter
from tunesmith.models.architectures import Head, model_class, read_config, scratch_config
from tunesmith.models.fresh import seeded
from tunesmith.models.quiet import quiet_libraries
from tunesmith.models.shapes import shapes_suffice, weights_may_be_later
from tunesmith.models.source import ModelSource
from tunesmith.models.tokenizers import load_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunesmith.models.later import StandIns
    from tunesmith.registry import Registry

__all__ = ["base_identity", "load_weights"]

_logger = logging.getLogger(__name__)
_SHOWN = 5


def load_weights(
    source: ModelSource,
    head: Head,
    *,
    seed: int | None = None,
    new_head: bool = True,
    registry: Registry | None = None,
    **config: Any,
) -> PreTrainedModel:
    """Load a model, or make an untrained one.

    Classification with a decoder needs to know the padding token: where neither ``config`` nor the model says it, it is
    the tokenizer's (its end-of-text token, where it has no padding token; see ``load_tokenizer``).

    Args:
        source: from ``find_model``. For ``scratch``, ``scratch.vocabulary`` is the size of the tokenizer by now.
        head: one of :data:`tunesmith.models.architectures.Head`, e.g. ``sequence-classification``.
        seed: of everything that is initialized here; default: the source's.
        new_head: False for a model that was trained for its task already: then its output layer must be in the
            checkpoint, with the shape that ``config`` asks for.
        registry: where architectures are; default: the process's.
        **config: values that replace those of the model's configuration, e.g. ``num_labels=77``.

    Returns:
        The model; for an adapter a ``PeftModel`` around it.

    Raises:
        ModelError: weights are missing, of the wrong shape or damaged; the architecture lacks this head.
        NotFoundError: ``scratch:`` with an architecture that is not registered.
        TypeError: a value in ``config`` that the model's configuration does not have.
    """
    if registry is None:
        from tunesmith.registry import get_registry

        registry = get_registry()
    if source.kind == "scratch":
        return _untrained(source, head, seed, registry, config)
    seed = source.seed if seed is None else seed
    if source.kind == "adapter":
        assert source.base is not None
        base = load_weights(source.base, head, seed=seed, registry=registry, **config)
        return load_adapter(source, base)
    return _pretrained(source, head, seed, new_head, registry, config)


def _untrained(
    source: ModelSource, head: Head, seed: int | None, registry: Registry, overrides: dict[str, Any]
) -> PreTrainedModel:
    options = source.scratch
    assert options is not None
    config = scratch_config(options, registry)
    if head != "image-classification" and options.tokenizer not in ("bpe", "byte"):
        tokenizer = train_tokenizer(options, ())
        ids = {f"{key}_token_id": getattr(tokenizer, f"{key}_token_id") for key in ("bos", "eos", "pad")}
        overrides = {**ids, **overrides}
    values = {**config.to_dict(), **overrides}
    if "id2label" in overrides or "num_labels" in overrides:  # to_dict holds the default two labels
        values = {k: v for k, v in values.items() if k not in ("id2label", "label2id") or k in overrides}
    config = type(config)(**values)
    build = model_class(config, head, name=source.name)
    with quiet_libraries(), seeded(options.seed if seed is None else seed):
        model = build(config, **_without_pooler(build, head))
    model._tunesmith_headless = head == "features"
    model.eval()
    return model


def _pretrained(
    source: ModelSource, head: Head, seed: int, new_head: bool, registry: Registry, overrides: dict[str, Any],
    *, whole: bool = False,
) -> PreTrainedModel:  # fmt: skip
    import torch

    folder = source.folder
    assert folder is not None
    config = read_config(folder, registry, overrides, trust_remote_code=source.trust_remote_code)
    trained_as = config.architectures if isinstance(config.architectures, list) else []
    build: Any = model_class(config, head, name=source.name)
    if head == "sequence-classification" and getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = load_tokenizer(source).pad_token_id
    if shapes_suffice():
        with quiet_libraries():
            model = build(config, **_without_pooler(build, head))
        model.name_or_path = base_identity(source)
        model._tunesmith_headless = head == "features"
        model.eval()
        return model
    remote = {"trust_remote_code": True} if source.trust_remote_code and hasattr(build, "_model_mapping") else {}
    try:
        stand_ins = None if whole else _stand_ins(source, config)
        with quiet_libraries(), seeded(seed):
            model, info = build.from_pretrained(
                folder if stand_ins is None else None,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # judged below, by name
                output_loading_info=True,
                **_without_pooler(build, head),
                **_renamed_body(build),
                **remote,
                **({} if stand_ins is None else {"state_dict": stand_ins.tensors}),
            )
    except Exception as error:  # transformers raises of everything for a configuration that nobody could have saved
        raise ModelError(
            f"the weights of {source.name} cannot be loaded: {folder}",
            given=f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0],
            expected=f"weights of a {build.__name__}",
            fix="copy or download the model again; or install what is missing, if the line above names a package",
        ) from error
    report = _Report.of(info)
    later = None
    if stand_ins is not None:
        later = stand_ins.adopted(model)
        if later is None:
            return _pretrained(source, head, seed, new_head, registry, overrides, whole=True)
    if _renamed_body(build):  # else save_pretrained would give the weights the names they had in the checkpoint again
        model._weight_conversions = None
    _detach_from_file(model, () if later is None else later)
    new = _judge(report, model, source, head, new_head=new_head, has_head=type(model).__name__ in trained_as)
    if new:
        _logger.info("new output layer, initialized with seed %d: %s", seed, ", ".join(sorted(new)))
    model.name_or_path = base_identity(source)
    model._tunesmith_new = frozenset(new)
    model._tunesmith_revision = source.revision
    model._tunesmith_digest = source.digest
    model._tunesmith_seed = seed
    model._tunesmith_headless = head == "features"
    if later is not None:
        for name in head_modules(model):  # they are small, and copied when there are adapters
            later.fill(model.get_submodule(name))
        model._tunesmith_later = later
        if model.can_generate():
            model.generation_config = _generation_config(folder)
        model.config.name_or_path = str(folder)
    _make_generation_config_valid(model, source)
    model.eval()
    return model


def _without_pooler(build: Any, head: Head) -> dict[str, bool]:
    """BERT and its kin put a layer of their own behind the features of the first token; features are what is below."""
    pools = head == "features" and "add_pooling_layer" in inspect.signature(build).parameters
    return {"add_pooling_layer": False} if pools else {}


def _renamed_body(build: Any) -> dict[str, dict[str, str]]:
    """Some classes have the body under another name than their kin, as ``LlamaForQuestionAnswering`` does, which says
    ``transformer`` where every other Llama says ``model``: weights that came from the kin are found by its name."""
    own = getattr(build, "base_model_prefix", "")
    names = (vars(kind).get("base_model_prefix") for kind in build.__mro__ if kind.__name__.endswith("PreTrainedModel"))
    usual = next(filter(None, names), own)
    return {"key_mapping": {rf"^{usual}\.": f"{own}."}} if usual != own else {}


def _stand_ins(source: ModelSource, config: Any) -> StandIns | None:
    """In the place of the weights, where these may come later."""
    quantized = getattr(config, "quantization_config", None) is not None
    if not weights_may_be_later() or quantized or source.trust_remote_code:
        return None
    from tunesmith.models.later import StandIns  # torch is loaded by whoever needs a model

    assert source.folder is not None
    return StandIns(source.folder)


def _detach_from_file(model: Any, later: Container[object]) -> None:
    """Copy the weights into memory of their own, but for those that come later.

    transformers leaves them mapped from the file. There they are aligned as the file happens to be, and matrix products
    over memory that is aligned differently can differ in the last bit, so that a model would not equal its own copy.
    Besides, whoever overwrites the file would change, or crash, the process.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor not in later:
            tensor.data = tensor.data.clone()


def _generation_config(folder: Path) -> Any:
    """What transformers reads beside weights; where there are stand-ins it does not look for it."""
    from transformers import GenerationConfig

    with quiet_libraries():
        try:
            return GenerationConfig.from_pretrained(folder, local_files_only=True)
        except OSError:
            options = {"config_file_name": "config.json", "_from_model_config": True}
            return GenerationConfig.from_pretrained(folder, local_files_only=True, **options)


def _make_generation_config_valid(model: Any, source: ModelSource) -> None:
    """Some published models hold generation settings that transformers loads and then refuses to save.

    Found out after the training, that would cost the model. The token ids are kept, the rest is transformers' default.
    """
    from transformers import GenerationConfig

    old = getattr(model, "generation_config", None)
    if old is None:
        return
    try:
        with quiet_libraries():
            old.validate(strict=True)
    except ValueError as error:
        _logger.warning("generation_config.json of %s is not valid and is replaced: %s", source.name, error)
        ids = {key: getattr(old, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
        model.generation_config = GenerationConfig(**ids)


@dataclass(frozen=True, slots=True)
class _Report:
    """What transformers found when it compared the checkpoint with the model."""

    missing: frozenset[str]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @classmethod
    def of(cls, info: dict[str, Any]) -> _Report:
        mismatched = {name: (tuple(found), tuple(wanted)) for name, found, wanted in info["mismatched_keys"]}
        return cls(frozenset(info["missing_keys"]) - mismatched.keys(), mismatched)


def _judge(
    report: _Report, model: Any, source: ModelSource, head: Head, *, new_head: bool, has_head: bool
) -> frozenset[str]:
    """The newly initialized parameters, all of them of the output layer.

    Args:
        has_head: the checkpoint says it was saved from this very class, so its output layer must be there.

    Raises:
        ModelError: anything else is missing or has another shape.
    """
    replaceable = (
        _head_names(model) if head not in ("causal-lm", "seq2seq-lm", "features") and new_head else frozenset()
    )
    missing = report.missing - (frozenset() if has_head else replaceable)
    if missing:
        raise ModelError(
            f"the checkpoint of {source.name} lacks weights of a {type(model).__name__}: {source.folder}",
            given=f"{len(missing)} missing: {_few(missing)}",
            expected="every weight" + (" except a new output layer's" if replaceable and not has_head else ""),
            fix="the file is incomplete or belongs to another architecture: copy or download the model again",
        )
    wrong = {name: shapes for name, shapes in report.mismatched.items() if name not in replaceable}
    if wrong:
        name, (found, wanted) = sorted(wrong.items())[0]
        raise ModelError(
            f"{len(wrong)} weights of {source.name} do not have the shape that its config.json asks for",
            given=f"{name}: {list(found)}",
            expected=str(list(wanted)),
            fix="config.json and the weights do not belong together: copy or download the model again",
        )
    return report.missing | report.mismatched.keys()


def _head_names(model: Any) -> frozenset[str]:
    """Parameters outside the base model, and BERT's pooler, which language model checkpoints of BERT leave out."""
    base = f"{model.base_model_prefix}."
    return frozenset(
        name for name, _ in model.named_parameters() if not name.startswith(base) or name.startswith(f"{base}pooler.")
    )


def base_identity(source: ModelSource) -> str:
    """How an adapter names the model under it: as the user wrote it, but a local path in full.

    A named model or hub id can be found again on another machine; a relative path could not even be found from another
    folder of this one.
    """
    path = Path(source.name).expanduser()
    if path.exists() and source.folder is not None:
        return str(source.folder.resolve())
    return source.name


def _few(names: Collection[str]) -> str:
    shown = sorted(names)[:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
