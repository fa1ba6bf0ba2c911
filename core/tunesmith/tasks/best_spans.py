# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The likeliest spans of a context, by the logits of where an answer starts and ends.

Shapes: R rows, L places, N spans of a row.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["best_spans"]


def best_spans(
    start: torch.Tensor, end: torch.Tensor, allowed: torch.Tensor, *, longest: int, count: int
) -> tuple[Any, Any, Any]:
    """The spans of greatest ``start[i] + end[j]`` with ``i <= j < i + longest``, best first.

    All spans of all rows are looked at together, a band of R x L x longest sums; the usual way looks at pairs of the
    20 best starts and ends alone (run_squad of Devlin et al. 2019, arXiv:1810.04805) and may miss the best span.

    Args:
        start, end: float32 (R, L).
        allowed: bool (R, L): places that belong to the context. A span must begin and end on one.
        longest: places of a span at most.
        count: N; fewer where L x longest is less.

    Returns:
        Scores float32 (R, N), -inf where a row has no more spans; first and last places, int64 (R, N). All numpy.
    """
    rows, places = start.shape
    longest = max(1, min(longest, places))
    nowhere = float("-inf")
    first = start.masked_fill(~allowed, nowhere)
    last = end.masked_fill(~allowed, nowhere)
    ends = torch.nn.functional.pad(last, (0, longest - 1), value=nowhere).unfold(1, longest, 1)  # (R, L, longest)
    sums = (first[:, :, None] + ends).reshape(rows, -1)
    scores, found = sums.topk(min(count, sums.shape[1]), dim=1)
    begins = found // longest
    finishes = (begins + found % longest).clamp(max=places - 1)  # spans that are not there may point behind the row
    return scores.cpu().numpy(), begins.cpu().numpy(), finishes.cpu().numpy()
