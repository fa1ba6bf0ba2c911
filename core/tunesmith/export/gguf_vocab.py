# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A tokenizer of the tokenizers library as llama.cpp's: tokens, merges or scores, special tokens.

llama.cpp knows two kinds that decoders have. ``gpt2``: byte-pair encoding over bytes, behind a splitting of the text
that has a name (``tokenizer.ggml.pre``) and is written in its source (``src/llama-vocab.cpp``). ``llama``:
SentencePiece's byte-pair encoding, which merges whichever neighbours make the token of the greatest score.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.export.pieces import BYTE, CONTROL, NORMAL, SPACE, SPLITS, UNKNOWN, UNUSED, USER_DEFINED

if TYPE_CHECKING:
    from tunesmith.export.subject import Subject

__all__ = ["Vocabulary", "vocabulary_of"]

_ENDS = frozenset(
    (
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<|flush|>",
        "<|calls|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
    )
)
"""Texts of tokens at which llama.cpp ends an answer, and which it reads as special, whatever a file says of them."""
_SUPPORTED = (
    "byte-level BPE as GPT-2, SmolLM, Qwen 2, Qwen 3 and Llama 3 split text, "
    "or SentencePiece-like BPE with byte fallback as Llama 2 and Mistral have it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """``tokenizer.ggml.*``.

    Attributes:
        model: ``gpt2`` or ``llama``.
        pre: name of the splitting.
        tokens: text of each id.
        types: of each.
        scores: of each, ``llama`` only.
        merges: ``left right``, ``gpt2`` only.
        special: ``bos``, ``eos``, ``unk``, ``pad``, ``eot``, ``eom`` to ids.
        add_bos: whatever is not a continuation begins with ``bos``.
        space_prefix: a space is put in front of text, ``llama`` only.
        lone_space: the tokenizer puts none in front of text that begins with one, which llama.cpp does.
    """

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    scores: tuple[float, ...] = ()
    merges: tuple[str, ...] = ()
    special: dict[str, int]
    add_bos: bool
    space_prefix: bool = False
    lone_space: bool = False


def vocabulary_of(subject: Subject) -> Vocabulary:
    """The vocabulary of a model that writes, padded to the rows of its embedding.

    Raises:
        ModelError: llama.cpp could not split text as this tokenizer does.
    """
    tokenizer = subject.tokenizer
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    model = parts["model"]
    if model["type"] != "BPE":
        raise _cannot(f"a model of type {model['type']}")
    if model.get("dropout") or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _cannot("BPE with dropout, prefixes or suffixes")
    rows = subject.module.get_input_embeddings().weight.shape[0]
    tokens, types = _tokens(parts, rows, by_bytes=bool(model.get("byte_fallback")))
    common: dict[str, Any] = {
        "tokens": tuple(tokens),
        "special": _special(subject),
        "add_bos": _adds_bos(subject),
    }
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    if model.get("byte_fallback"):
        prefix = _space_prefix(parts, subject)
        if model.get("unk_token") in model["vocab"]:
            types[model["vocab"][model["unk_token"]]] = UNKNOWN
        lone = prefix and parts.get("pre_tokenizer") is not None
        if lone:
            subject.note("text that begins with a space becomes other tokens: llama.cpp puts one more in front of it")
        common |= {"scores": tuple(_scores(tokens, merges)), "space_prefix": prefix, "lone_space": lone}
        return Vocabulary(model="llama", pre="default", types=tuple(types), **common)
    _check_normalizer(parts, subject)
    return Vocabulary(model="gpt2", pre=_split_name(parts), types=tuple(types), merges=tuple(merges), **common)


def _tokens(parts: dict[str, Any], rows: int, *, by_bytes: bool) -> tuple[list[str], list[int]]:
    tokens = [f"[PAD{number}]" for number in range(rows)]
    types = [UNUSED] * rows
    for token, number in parts["model"]["vocab"].items():
        byte = by_bytes and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        tokens[number], types[number] = token, BYTE if byte else NORMAL
    for added in parts["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    return tokens, types


def _scores(tokens: list[str], merges: list[str]) -> list[float]:
    """A merge that comes earlier makes a token of greater score."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    return [float(-ranks.get(token, 0)) for token in tokens]


# ---- how text is split -------------------------------------------------------------------------


def _check_normalizer(parts: dict[str, Any], subject: Subject) -> None:
    normalizer = parts.get("normalizer")
    if normalizer is None:
        return
    if normalizer != {"type": "NFC"}:
        raise _cannot(f"normalizer {json.dumps(normalizer, ensure_ascii=False)[:120]}")
    subject.note("llama.cpp does not compose characters (NFC) before it splits text, as this tokenizer does")


def _split_name(parts: dict[str, Any]) -> str:
    pre = parts.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers", [pre])
    bytes_ = steps[-1]
    plain = bytes_.get("type") == "ByteLevel" and not bytes_.get("add_prefix_space")
    ignores = bool(parts["model"].get("ignore_merges"))
    if plain and bytes_.get("use_regex", True) and not ignores:
        if len(steps) == 1:
            return "gpt-2"
        if steps[:-1] == [{"type": "Digits", "individual_digits": True}]:
            return "smollm"
    if plain and len(steps) == 2 and steps[0].get("type") == "Split" and not bytes_.get("use_regex", True):
        split = steps[0]
        expression = split["pattern"].get("Regex")
        if split.get("behavior") == "Isolated" and not split.get("invert"):
            if expression == SPLITS["qwen2"] and not ignores:
                return "qwen2"
            if expression == SPLITS["llama-bpe"]:
                return "llama-bpe" if ignores else "smaug-bpe"
    raise _cannot(f"pre_tokenizer {json.dumps(pre, ensure_ascii=False)[:160]}")


def _space_prefix(parts: dict[str, Any], subject: Subject) -> bool:
    """Whether a space is put in front of text; SentencePiece-like tokenizers have three ways to say so."""
    pre, normalizer = parts.get("pre_tokenizer"), parts.get("normalizer")
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    if pre is None and normalizer == {
        "type": "Sequence",
        "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace],
    }:
        return True
    if pre is None and normalizer in (replace, {"type": "Sequence", "normalizers": [replace]}):
        return False
    if normalizer is None and pre is not None and pre.get("type") == "Metaspace" and pre.get("split") is False:
        scheme = pre.get("prepend_scheme")
        # llama.cpp does it behind every special token. Where text always begins with one, "first" never does.
        return scheme == "always" or (scheme == "first" and not _begins_special(subject))
    given = json.dumps({"normalizer": normalizer, "pre_tokenizer": pre}, ensure_ascii=False)
    raise _cannot(given[:200])


def _begins_special(subject: Subject) -> bool:
    language: Any = subject.task
    return language.prompt_tokens("a")[0] in subject.tokenizer.all_special_ids


# ---- special tokens ----------------------------------------------------------------------------


def _special(subject: Subject) -> dict[str, int]:
    tokenizer, language = subject.tokenizer, subject.task
    names = ("bos", "eos", "unk", "pad")
    special = {name: token for name in names if isinstance(token := getattr(tokenizer, f"{name}_token_id"), int)}
    stops: Any = language
    others = sorted(set(stops.stop_tokens()) - {special.get("eos")})
    if "eos" not in special and others:
        special["eos"] = others.pop(0)
    special |= dict(zip(("eot", "eom"), others, strict=False))
    if special.get("pad") == special.get("eos"):  # stands in for a padding token where there is none
        special.pop("pad", None)
    if len(others) > 2:
        left = ", ".join(tokenizer.convert_ids_to_tokens(others[2:]))
        subject.note(f"a GGUF file names three stop tokens; these must be given to llama.cpp: {left}")
    ends = _ENDS & tokenizer.get_vocab().keys() - set(tokenizer.convert_ids_to_tokens(sorted(stops.stop_tokens())))
    if ends:
        subject.note(f"llama.cpp ends answers at these tokens too, whatever the model: {', '.join(sorted(ends))}")
    return special


def _adds_bos(subject: Subject) -> bool:
    language: Any = subject.task
    ids = language.prompt_tokens("a")
    return subject.tokenizer.bos_token_id is not None and ids[0] == subject.tokenizer.bos_token_id


def _cannot(given: str) -> ModelError:
    return ModelError(
        "this tokenizer cannot be written as GGUF: llama.cpp would split text otherwise",
        given=given,
        expected=_SUPPORTED,
        fix="export it --to merged",
    )
