# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How long an input may be, and what became of the longer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tunesmith.errors import DataError, Origin, Problem, RecipeError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Lengths", "choose_max_length", "plural", "position_limit"]

# Tokenizers without a limit of their own say about 1e30 (transformers' VERY_LARGE_INTEGER).
_NO_LIMIT = 10**9


@dataclass(slots=True)
class Lengths:
    """Counts rows against ``limit`` and says what happens to those above it.

    Attributes:
        limit: longest input in tokens.
        too_long: as in the recipe.
        rows: rows seen.
        over: rows longer than ``limit``.
        longest: tokens of the longest row.
        shortened: what ``truncate`` does to a row, for the sentence.
        noun: what is counted, in the singular.
        key: of the recipe, which sets ``limit``.
    """

    limit: int
    too_long: Literal["truncate", "skip", "error"]
    shortened: str = "truncated"
    noun: str = "row"
    key: str = "data.max_length"
    rows: int = 0
    over: int = 0
    longest: int = 0

    def admit(self, length: int, origin: Origin) -> bool:
        """Count a row of ``length`` tokens; False when it is to be skipped.

        Raises:
            DataError: the row is too long and the recipe says ``too_long: error``.
        """
        self.rows += 1
        self.longest = max(self.longest, length)
        if length <= self.limit:
            return True
        if self.too_long == "error":
            raise DataError(
                f"a {self.noun} is longer than {self.key}, and data.too_long is 'error'",
                given=f"{length:,} tokens",
                expected=f"at most {self.limit:,} tokens",
                fix=f"shorten the {self.noun}, raise {self.key}, or set data.too_long to 'truncate' or 'skip'",
                problems=[Problem(origin, f"{length:,} tokens; at most {self.limit:,} are allowed")],
            )
        self.over += 1
        return self.too_long == "truncate"

    def sentences(self) -> list[str]:
        """What was counted, or nothing where every row fitted."""
        if not self.over:
            return []
        done = "skipped: longer than" if self.too_long == "skip" else f"{self.shortened} to"
        return [
            f"{self.over:,} of {self.rows:,} {self.noun}s {done} {self.limit:,} tokens (longest had {self.longest:,})"
        ]


def plural(count: int, noun: str) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def position_limit(model: nn.Module, tokenizer: Any) -> int | None:
    """The longest input the model was made for, in tokens; ``None`` where it names none.

    The smallest of the configuration's, the tokenizer's, and the model's own table of positions. RoBERTa's
    table counts from behind the padding index, so that 514 entries serve 512 tokens.
    """
    from torch import nn

    config: Any = getattr(model, "config", None)
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else config
    limits = [getattr(text_config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    known = [int(limit) for limit in limits if isinstance(limit, (int, float)) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def choose_max_length(asked: int | None, default: int, limit: int | None, *, key: str = "data.max_length") -> int:
    """The recipe's ``data.max_length`` (or ``key``) where given, else ``default``, never above the model's ``limit``.

    Raises:
        RecipeError: more was asked for than the model can read.
    """
    if asked is None:
        return default if limit is None else min(default, limit)
    if limit is not None and asked > limit:
        raise RecipeError(
            f"{key} is longer than the model can read",
            given=f"{asked:,} tokens",
            expected=f"at most {limit:,} tokens, which is what this model was made for",
            fix=f"lower {key}, or choose a model with a longer context",
        )
    return asked
