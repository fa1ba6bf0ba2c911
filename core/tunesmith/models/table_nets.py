# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A net for tables: ``scratch:tabular-mlp``.

Every column becomes a vector of the same size, and a small multi-layer perceptron reads them side by side.

- A number x, standardized, becomes ``a·x + b + W·p(x)``: a straight line, and a piecewise linear curve over bins of
  equally many training rows (Gorishniy et al. 2022, arXiv:2203.05556, section 3.1). W starts at 0, so that the curve
  comes in only where the rows ask for it. p(x) stays within 0 and 1: outside of what training saw, the line goes on.
- A category has a learned vector; one that training never saw has the vector 0, which says nothing.
- A missing number has a learned vector of its own column, 0 where training never missed one.

No batch normalization: a step's result must not depend on how it is cut into parts (see ``image_nets``).

Shapes: R rows of a batch, N columns of numbers, C columns of categories, T bins, D embedding, K outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tunesmith.errors import ModelError
from tunesmith.models.source import ScratchOptions

__all__ = ["TabularMlp", "TabularMlpConfig", "tabular_mlp"]


class TabularMlpConfig(PreTrainedConfig):  # type: ignore[misc]
    """What the net needs to know.

    Attributes:
        table_edges: for every column of numbers the ascending edges of its bins, standardized; at least two each.
        table_categories: columns of categories, C.
        table_codes: codes of all categories together; code 0 is what training never saw.
        embedding: D.
        width: units of a hidden layer.
        depth: hidden layers.
        dropout: behind every hidden layer.
    """

    model_type: ClassVar[str] = "tunesmith-tabular-mlp"
    heads: ClassVar[dict[str, str]] = {"tabular": "TabularMlp"}

    table_edges: list[list[float]] | None = None
    table_categories: int = 0
    table_codes: int = 1
    embedding: int = 8
    width: int = 96
    depth: int = 2
    dropout: float = 0.1

    def __post_init__(self, **kwargs: Any) -> None:
        self.table_edges = [[float(edge) for edge in edges] for edges in self.table_edges or []]
        super().__post_init__(**kwargs)


class NumberEmbedding(nn.Module):
    """Numbers (R, N), NaN where missing, to vectors (R, N, D).

    Args:
        edges: per column, as in the configuration.
        size: D.
    """

    left: torch.Tensor
    slope: torch.Tensor

    def __init__(self, edges: list[list[float]], size: int) -> None:
        super().__init__()
        columns, bins = len(edges), max(len(one) - 1 for one in edges)
        left, slope = torch.zeros(columns, bins), torch.zeros(columns, bins)  # a bin that a column lacks stays at 0
        for column, one in enumerate(edges):
            points = torch.tensor(one, dtype=torch.float64)
            left[column, : len(one) - 1] = points[:-1].float()
            slope[column, : len(one) - 1] = (1 / points.diff()).float()
        self.register_buffer("left", left)
        self.register_buffer("slope", slope)
        self.weight = nn.Parameter(torch.empty(columns, size))
        self.bias = nn.Parameter(torch.empty(columns, size))
        self.curve = nn.Parameter(torch.empty(columns, bins, size))
        self.missing = nn.Parameter(torch.empty(columns, size))

    @torch.no_grad()
    def reset(self) -> None:
        """Initial values: the line as in a linear layer, everything else 0."""
        bound = self.weight.shape[1] ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        nn.init.zeros_(self.curve)
        nn.init.zeros_(self.missing)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        gone = numbers.isnan()
        x = numbers.masked_fill(gone, 0.0).unsqueeze(-1)
        bins = ((x - self.left) * self.slope).clamp(0, 1)
        vectors = x * self.weight + self.bias + torch.einsum("rnt,ntd->rnd", bins, self.curve)
        return torch.where(gone.unsqueeze(-1), self.missing, vectors)


class TableBody(nn.Module):
    """Rows to features (R, width)."""

    def __init__(self, config: TabularMlpConfig) -> None:
        super().__init__()
        edges = config.table_edges or []
        self.numbers = NumberEmbedding(edges, config.embedding) if edges else None
        self.categories = (
            nn.Embedding(config.table_codes, config.embedding, padding_idx=0) if config.table_categories else None
        )
        inputs = (len(edges) + config.table_categories) * config.embedding
        layers: list[nn.Module] = []
        for _ in range(config.depth):
            layers += [nn.Linear(inputs, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
            inputs = config.width
        self.layers = nn.Sequential(*layers)

    def forward(self, numbers: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        vectors = []
        if self.numbers is not None:
            vectors.append(self.numbers(numbers))
        if self.categories is not None:
            vectors.append(self.categories(categories))
        features: torch.Tensor = self.layers(torch.cat(vectors, dim=1).flatten(1))
        return features


class TabularMlp(PreTrainedModel):  # type: ignore[misc]
    """One net for classification (K labels) and regression (K = 1)."""

    config_class = TabularMlpConfig
    base_model_prefix = "body"
    main_input_name = "numbers"

    def __init__(self, config: TabularMlpConfig) -> None:
        super().__init__(config)
        if not config.table_edges and not config.table_categories:
            raise ModelError(
                "a net for tables needs columns",
                given="no column of numbers and none of categories",
                expected="at least one",
                fix="use it with the tasks tabular-classification and tabular-regression, which know the columns",
            )
        self.body = TableBody(config)
        self.classifier = nn.Linear(config.width, config.num_labels)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, NumberEmbedding):
            module.reset()
        elif isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -(module.embedding_dim**-0.5), module.embedding_dim**-0.5)
            module.weight[0].zero_()
        elif isinstance(module, nn.Linear):
            # He et al. 2015, arXiv:1502.01852: the variance that rectified layers keep.
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, numbers: torch.Tensor, categories: torch.Tensor, **kwargs: Any) -> SequenceClassifierOutput:
        """Answer rows.

        Args:
            numbers: float32 (R, N), standardized; NaN is missing.
            categories: int64 (R, C), codes.

        Returns:
            ``logits`` float32 (R, K).
        """
        return SequenceClassifierOutput(logits=self.classifier(self.body(numbers, categories)))


def tabular_mlp(options: ScratchOptions) -> TabularMlpConfig:
    """The registered architecture ``tabular-mlp``; its columns come with the data."""
    if options.size is not None:
        raise ModelError(
            "the tabular-mlp comes in one size, which depends on the table",
            given=f"a size of {options.size:,} parameters",
            expected=f"scratch:{options.architecture}",
            fix=f"leave the size out: model: scratch:{options.architecture}",
        )
    return TabularMlpConfig()
