# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Tokenizers: load the one that belongs to a model, or learn one from the training texts."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tunesmith.errors import ModelError
from tunesmith.models.quiet import quiet_libraries
from tunesmith.models.source import ModelSource, ScratchOptions

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

__all__ = ["CHAT_TEMPLATE", "SPECIAL_TOKENS", "load_tokenizer", "train_tokenizer"]

_logger = logging.getLogger(__name__)

SPECIAL_TOKENS = ("<|endoftext|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
"""Of a tokenizer made here; their ids are 0 to 5. ``<|endoftext|>`` begins and ends a document."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('This template knows the roles system, user and assistant; given: ' + message['role']) }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Nothing stands between the markers and the text, so that a conversation is rendered in exactly one way.

What ``{% generation %}`` encloses is what the model has to write: the answer and the ``<|end|>`` that stops it.
"""


def load_tokenizer(source: ModelSource) -> PreTrainedTokenizerFast:
    """The tokenizer saved with a model; of an adapter its own, or that of the model under it.

    A tokenizer without a padding token pads with its end-of-text token. No token is added: the model's embeddings stay
    as they are, and padding is exact all the same, because the attention mask and the labels leave it out.

    Raises:
        ModelError: the files are missing or damaged, or only a tokenizer written in Python exists for them.
        ValueError: ``source`` is a ``scratch:`` model; :func:`train_tokenizer` makes its tokenizer.
    """
    if source.folder is None:
        raise ValueError(f"{source.name} has no tokenizer yet; train_tokenizer makes it")
    if source.base is not None and not (source.folder / "tokenizer_config.json").is_file():
        return load_tokenizer(source.base)
    return _load(source.folder, trust_remote_code=source.trust_remote_code)


def train_tokenizer(options: ScratchOptions, texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of an untrained model.

    ``bpe``: byte-pair encoding over bytes (Sennrich et al. 2016, arXiv:1508.07909; byte level as in GPT-2), learned
    from ``texts``. ``byte``: one token a byte, nothing learned. Both give back exactly the text they were given,
    whatever it holds, and the same texts give the same tokenizer. A folder or hub id: that model's tokenizer.

    Args:
        options: ``tokenizer``, ``vocabulary`` (``bpe``: at most so many entries, special tokens included), ``context``.
        texts: read once, by ``bpe`` alone.

    Raises:
        ModelError: no text to learn from, or the folder holds no tokenizer.
        OfflineError: a hub id, and the hub cannot be reached.
    """
    if options.tokenizer not in ("bpe", "byte"):
        return _load(_tokenizer_folder(options.tokenizer))
    learn = options.tokenizer == "bpe"
    tokenizer = _byte_level()
    if learn:
        _learn_merges(tokenizer, options.vocabulary, texts)
    return _wrap(tokenizer, options.context)


def _byte_level() -> Tokenizer:
    """A tokenizer with the special tokens and the 256 bytes, and no merges."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    entries = [*SPECIAL_TOKENS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={entry: index for index, entry in enumerate(entries)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return tokenizer


def _learn_merges(tokenizer: Tokenizer, vocabulary: int, texts: Iterable[str]) -> None:
    from tokenizers import pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    seen = _Seen(texts)
    tokenizer.train_from_iterator(seen, trainer=trainer)
    if not seen.characters:
        raise ModelError(
            "there is no text to learn a tokenizer from",
            given="only empty texts",
            expected="training rows with text",
            fix="check data.train, or use `tokenizer: byte`, which needs no text",
        )
    if tokenizer.get_vocab_size() < vocabulary:
        _logger.info(
            "the texts give a vocabulary of %d entries, %d were asked for", tokenizer.get_vocab_size(), vocabulary
        )


class _Seen:
    """Hands texts on and counts their characters."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)
        self.characters = 0

    def __iter__(self) -> _Seen:
        return self

    def __next__(self) -> str:
        text = next(self._texts)
        self.characters += len(text)
        return text


def _wrap(tokenizer: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|pad|>",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return _without_length_warning(wrapped)


def _tokenizer_folder(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        return path / "model" if (path / "run.json").is_file() else path
    if "/" not in name or path.is_absolute():
        raise ModelError(
            f"there is no tokenizer {name}",
            given=name,
            expected="`bpe`, `byte`, a folder with a tokenizer, or a hub id (owner/name)",
            fix="correct `tokenizer` of the model in the recipe",
        )
    from tunesmith.models.hub import TOKENIZER_FILES, download

    return download(name, files=TOKENIZER_FILES)[0]


def _load(folder: Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    try:
        with quiet_libraries():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code, use_fast=True
            )
    except Exception as error:  # the parsers below raise bare Exception for a damaged file
        raise ModelError(
            f"the tokenizer cannot be loaded: {folder}",
            given=f"{type(error).__name__}: {_first_line(error)}",
            expected="a tokenizer.json that the tokenizers library reads",
            fix="copy the tokenizer's files of the original model into the folder",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer has no fast form: {folder}",
            given=type(tokenizer).__name__,
            expected="a tokenizer.json",
            fix="choose a model that comes with a tokenizer.json",
        )
    if not isinstance(tokenizer.model_max_length, (int, float)):
        raise ModelError(
            f"the tokenizer cannot be used: {folder}",
            given=f"model_max_length: {tokenizer.model_max_length!r} in tokenizer_config.json",
            expected="a number of tokens",
            fix="copy the tokenizer's files of the original model into the folder",
        )
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return _without_length_warning(tokenizer)


def _without_length_warning(tokenizer: Any) -> PreTrainedTokenizerFast:
    """Long texts are cut or counted by the tasks; transformers would warn on standard error about the first one."""
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return cast("PreTrainedTokenizerFast", tokenizer)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
