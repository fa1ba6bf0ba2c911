# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Sources and targets: translation, summaries, rewriting, with an encoder-decoder.

Shapes: R rows of a batch, L length in tokens of the sources, M of the targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.cells import text_cell
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.language import LanguageModel, TokenLoss, perplexity
from tunesmith.tasks.lengths import Lengths, choose_max_length, plural, position_limit
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.state import state_int, state_text
from tunesmith.tasks.text import bind_tokenizer, pad_right, token_ids

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Pair", "Seq2Seq"]

WORST_SHOWN = 20

_IDLE = {"num_beams": 1, "no_repeat_ngram_size": 0, "length_penalty": 1.0, "repetition_penalty": 1.0, "min_length": 0}
"""Settings of transformers' generation that answers here do not follow, and the values that ask for nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and what is to be written for it.

    Attributes:
        source: as it stands in the file, without the prefix.
        target: ``None`` when it is only to be predicted.
        origin: where the row stands.
    """

    source: str
    target: str | None
    origin: Origin


class Seq2Seq(LanguageModel[Pair]):
    """Writing the target of a source.

    The encoder reads the source, with ``data.prefix`` in front of it, as the tokenizer encodes a text; an end token is
    added where the tokenizer adds none. The decoder learns every token of the target and the end token behind it. What
    the decoder reads is the model's own shift of the target, so that it begins as the model's makers meant it.

    Sources longer than ``data.max_length`` (default: 1024, or what the model allows) and targets longer than
    ``data.max_target_length`` (default: the same) lose their end, are skipped or refused, as ``data.too_long`` says. A
    target that was cut has no end token: the model does not learn to stop where it was cut.
    """

    columns = (
        Column(
            name="source",
            summary="the text to read",
            aliases=("source", "src", "input", "text", "document", "article"),
        ),
        Column(
            name="target",
            summary="the text to write",
            target=True,
            aliases=("target", "tgt", "output", "translation", "summary", "highlights"),
        ),
    )
    head = "seq2seq-lm"
    prompt_form = "source"
    data_keys = frozenset({"prefix", "max_target_length"})
    tallied = ("_sources", "_targets", "_early_ends")

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.prefix = data.prefix or ""
        self.max_target_length = self.max_length
        self._end = 0
        self._start: tuple[int, ...] = ()
        self._cut_prompts = 0
        self._early_ends = 0
        self._count_anew()

    def _count_anew(self) -> None:
        too_long = self.data.too_long
        self._sources = Lengths(self.max_length, too_long, noun="source")
        self._targets = Lengths(
            self.max_target_length,
            too_long,
            noun="target",
            key="data.max_target_length",
            shortened="truncated, and without an end token,",
        )

    def counted(self) -> list[str]:
        counts = (
            (self._early_ends, "row", "with the text of the end token in its target; it is read as that token"),
            (self._cut_prompts, "prompt", f"truncated to {self.max_length:,} tokens"),
        )
        return [
            *self._sources.sentences(),
            *self._targets.sentences(),
            *(f"{plural(count, noun)} {what}" for count, noun, what in counts if count),
        ]

    def parse(self, row: Row, *, labelled: bool = True) -> Pair:
        return Pair(text_cell(row, "source"), text_cell(row, "target") if labelled else None, row.origin)

    def texts(self, examples: Sequence[Pair]) -> list[str]:
        return [text for example in examples for text in (self.prefix + example.source, example.target) if text]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        return self._set_up(source, tokenizer, self.data.max_length, self.data.max_target_length)

    def new_config(self, tokenizer: Any) -> dict[str, Any]:
        ids = super().new_config(tokenizer)
        start = next((ids[name] for name in ("pad_token_id", "bos_token_id", "eos_token_id") if name in ids), None)
        return ids if start is None else {**ids, "decoder_start_token_id": start}

    def _set_up(
        self, source: ModelSource, tokenizer: Any, max_length: int | None, max_target_length: int | None
    ) -> nn.Module:
        model = self.bind(source, tokenizer, max_length)
        self.generation = self.generation or {"temperature": 0.0}  # one good answer, not one of many
        if not isinstance(tokenizer.eos_token_id, int):
            raise ModelError(
                f"{source.name!r} cannot be used for seq2seq: its tokenizer has no end token",
                given="no eos_token in the tokenizer's files",
                expected="a token that says where a target ends, or the model would never stop",
                fix="choose another model, or add an eos_token to tokenizer_config.json",
            )
        self._end = tokenizer.eos_token_id
        self._start = self._decoder_start(model, source.name)
        limit = position_limit(model, tokenizer)
        self.max_target_length = choose_max_length(
            max_target_length, self.max_length, limit, key="data.max_target_length"
        )
        self._count_anew()
        self._note_idle(getattr(model, "generation_config", None))
        return model

    def _decoder_start(self, model: Any, name: str) -> tuple[int, ...]:
        """What the decoder reads before the first token of an answer, as it did in training."""
        start = getattr(model.config, "decoder_start_token_id", None)
        if not isinstance(start, int):
            raise ModelError(
                f"{name!r} does not say what its decoder begins with",
                given="no decoder_start_token_id in config.json",
                expected="the token that the decoder reads before the first token of an answer",
                fix="add decoder_start_token_id to config.json; it is often the padding token",
            )
        # BART's answers begin with a token that its settings force. It is only skipped here if training saw it too.
        forced = getattr(getattr(model, "generation_config", None), "forced_bos_token_id", None)
        return (start, forced) if isinstance(forced, int) and self._target_ids("a")[0] == forced else (start,)

    def _note_idle(self, settings: Any) -> None:
        idle = [name for name, value in _IDLE.items() if getattr(settings, name, None) not in (None, value)]
        if idle:
            self.note(f"the model's own {', '.join(idle)} are not followed: an answer is greedy, or drawn as asked")

    # ---- for engines ---------------------------------------------------------------------------

    def prompt_tokens(self, prompt: str) -> list[int]:
        """What the encoder reads: the prefix and the source, cut to ``max_length``."""
        ids = self._source_ids(prompt)
        if len(ids) > self.max_length:
            self._cut_prompts += 1
            ids = self._source_ids(prompt, self.max_length)
        return ids

    def decoder_start(self) -> tuple[int, ...]:
        """What the decoder reads before the first token of an answer."""
        return self._start

    def reference(self, example: Pair) -> str | None:
        return example.target

    # ---- numbers -------------------------------------------------------------------------------

    def _source_ids(self, text: str, max_length: int | None = None) -> list[int]:
        ids = token_ids(self.tokenizer, self.prefix + text, special=True, max_length=max_length)
        if ids[-1:] == [self._end]:
            return ids
        return [*(ids if max_length is None else ids[: max_length - 1]), self._end]

    def _target_ids(self, text: str) -> list[int]:
        encoding = self.tokenizer(
            text_target=text,
            add_special_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        ids: list[int] = encoding["input_ids"]
        return ids if ids[-1:] == [self._end] else [*ids, self._end]

    def encode(self, example: Pair, row: int) -> list[Encoded]:
        source = self._source_ids(example.source)
        admitted = self._sources.admit(len(source), example.origin)
        if len(source) > self.max_length:
            source = self._source_ids(example.source, self.max_length)
        features = {"input_ids": np.asarray(source, dtype=np.int32)}
        count = 0
        if example.target is not None:
            target = self._target_ids(example.target)
            admitted &= self._targets.admit(len(target), example.origin)
            self._early_ends += self._end in target[:-1]
            features["labels"] = np.asarray(target[: self.max_target_length], dtype=np.int32)
            count = len(features["labels"])
        return [Encoded(features, length=len(source) + count, targets=count, row=row)] if admitted else []

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """Pads both sides on the right. Sources get a mask; targets need none: no token sees what comes after it."""
        sources = [item.features["input_ids"] for item in items]
        inputs = {"input_ids": pad_right(sources, self._padding)}
        if len({len(row) for row in sources}) > 1:
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in sources], 0)
        targets = [item.features["labels"] for item in items if "labels" in item.features]
        return Batch(
            inputs=inputs,
            labels=pad_right(targets, -100) if len(targets) == len(items) else None,
            targets=sum(item.targets for item in items),
            tokens=sum(item.length for item in items),
            rows=[item.row for item in items],
        )

    def model_inputs(self, model: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        from tunesmith.tasks.supervised import plain_model

        shift: Any = plain_model(model)
        return {**batch.inputs, "decoder_input_ids": shift.prepare_decoder_input_ids_from_labels(labels=batch.labels)}

    # ---- report --------------------------------------------------------------------------------

    def sections(self, outputs: Sequence[TokenLoss], examples: Sequence[Pair]) -> list[Section]:
        pairs = sorted(zip(outputs, examples, strict=True), key=lambda pair: -pair[0].loss)[:WORST_SHOWN]
        rows = [
            (
                str(example.origin),
                excerpt(example.source),
                excerpt(example.target or ""),
                output.tokens,
                round(perplexity(output.loss), 2),
            )
            for output, example in pairs
        ]
        return [
            Table(
                title="Hardest targets",
                note="Greatest loss per token of the target first.",
                header=("where", "source", "target", "tokens", "perplexity"),
                rows=rows,
            )
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "max_target_length": self.max_target_length, "prefix": self.prefix}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.prefix = state_text(state, "prefix") if state.get("prefix") else ""
        longest = state_int(state, "max_target_length") if "max_target_length" in state else None
        model = self._set_up(source, models.load_tokenizer(source), self.saved_max_length(state), longest)
        self.restore_settings(state)
        return model
