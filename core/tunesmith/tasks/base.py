# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The contract of a task.

The life of a task object, in order:

1. ``Task(data)`` with the recipe's data section.
2. ``parse(row)`` for every row of every split: a row becomes an example, or raises ``RowError``.
3. ``fit(examples)``: learn from the training examples what must be known first, such as the labels.
4. ``build(source)``: the model with the right head, and with it the tokenizer or image settings.
5. ``encode(example)`` to features, ``collate(features)`` to a batch of tensors.
6. ``loss(model, batch)``: what training minimizes. ``outputs(model, batch)``: what evaluation reads.
7. ``calibrate(outputs)`` of the finished model, once; ``score(outputs, examples)`` and ``sections(outputs, examples)``:
   figures and report.
8. ``state()``: everything of 3 and 4 that predicting needs, as JSON; ``restore(state, source)`` brings it back.

Shapes: R rows of a batch, L length in tokens, K labels, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from tunesmith.data.rows import Column, Row
from tunesmith.errors import DataError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.minimizing import Minimizing

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource
    from tunesmith.recipe import Recipe
    from tunesmith.tasks.sections import Section

__all__ = ["Batch", "Encoded", "Metric", "Task", "refusal"]

E = TypeVar("E")  # the task's example: a small frozen dataclass with an ``origin``
O = TypeVar("O")  # the task's output for one row


def refusal(refused: Sequence[DataError], rows: int) -> DataError:
    """What ``encode`` refused of ``rows`` examples, as one error."""
    if len(refused) == 1:
        return refused[0]
    return DataError(
        f"{len(refused):,} of {rows:,} rows cannot be used: {refused[0].what}",
        expected=refused[0].expected,
        fix=refused[0].fix,
        problems=[problem for error in refused for problem in error.problems],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure a task computes.

    Attributes:
        name: the field's term, e.g. ``accuracy``.
        greater_is_better: which way is up.
        summary: one line for docs and reports.
    """

    name: str
    greater_is_better: bool
    summary: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as numbers.

    Attributes:
        features: name to array; the first axis of token features is L.
        length: cost in tokens, for batches by token budget (1 for images).
        targets: how many places carry a loss (labelled tokens; 1 for a classification).
        row: index of the example it came from (a long text gives several with the same row).
    """

    features: Mapping[str, np.ndarray[Any, Any]]
    length: int
    targets: int
    row: int


@dataclass(slots=True)
class Batch:
    """Rows ready for the model.

    Attributes:
        inputs: keyword arguments of the model's forward.
        labels: what the loss compares with; ``None`` when predicting.
        targets: places that carry a loss, summed over the rows.
        tokens: tokens (images: rows), padding not counted.
        rows: index of the example of each row, length R.
        extra: facts per row that ``outputs`` hands on, first axis R; they stay on the host.
    """

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor | None
    targets: int
    tokens: int
    rows: list[int] = field(default_factory=list)
    extra: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(
            {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()},
            None if self.labels is None else self.labels.to(device, non_blocking=True),
            self.targets,
            self.tokens,
            self.rows,
            self.extra,
        )


class Task(Minimizing, ABC, Generic[E, O]):
    """What is learned: columns, rendering, loss, answers, scores. One subclass per task."""

    columns: ClassVar[tuple[Column, ...]]
    metrics: ClassVar[tuple[Metric, ...]]
    """The first is the headline: it chooses the best checkpoint unless the recipe names another."""
    final_metrics: ClassVar[tuple[Metric, ...]] = ()
    """What ``score`` may tell beside them of a finished model."""
    generates: ClassVar[bool] = False
    """True for language models: answers are made token by token by an engine."""
    data_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of ``data`` that only some tasks read, as ``prefix``, and this one does; the others' are errors."""
    default_max_length: ClassVar[int | None] = None
    """Tokens; the recipe's ``data.max_length`` and the model's own limit come first. None: no tokens."""
    default_tokens_per_batch: ClassVar[int] = 2048
    """Of a step, where batches are made by token budget and the recipe names none."""
    rate_scale: ClassVar[float] = 1.0
    """The default learning rate of the method is multiplied by it."""
    default_rows_per_batch: ClassVar[int | None] = None
    """None: batches are made by token budget."""
    token_feature: ClassVar[str | None] = None
    """The feature of an item with every id that the input embedding sees of it; padding apart. None: no single feature
    has them all. Named, vectors of tokens that never occur are left out of training (``training/vocabulary.py``)."""
    tallied: ClassVar[tuple[str, ...] | None] = None
    """Attributes that ``encode`` counts in (see :mod:`tunesmith.tasks.tally`), all of them, possibly none. Naming
    them says that ``encode`` depends on nothing but the example, ``state()``, ``data`` and the tokenizer: rows may be
    encoded in parts, in other processes, or be found encoded by an earlier job; and that examples hold what their rows
    hold, not what a path in them leads to, whose digest nobody knows. Counts only for the class whose body
    says it: a subclass may count more, and says it again. None: rows are encoded one after the other, every time."""
    default_steps: ClassVar[int | None] = None
    """About how many optimizer steps a job takes whose recipe says no ``train.epochs``; it is then evaluated and saved
    a fixed number of times instead of after every epoch. For tasks whose rows may be few. None: 3 epochs."""

    augments: ClassVar[str | None] = None
    """What transforms (``data.augment``) change of its training rows: ``image``, ``text``, or a word of its own, with
    which transforms are declared for it. Named, ``augmented`` is there. None: no transform fits."""

    def __init__(self, data: DataSection) -> None:
        super().__init__()
        self.data = data
        self._notes: list[str] = []

    def take_settings(self, recipe: Recipe) -> None:
        """The recipe of the job, its ``plugins`` checked; called once, before anything else, when a job is prepared.

        For a task of a plugin with settings of its own (:func:`tunesmith.recipe.plugin_settings`). What they decide
        belongs into ``state``: a finished model is restored without a recipe.
        """
        return

    # ---- what people must be told --------------------------------------------------------------

    def note(self, text: str) -> None:
        """Keep a fact for ``notes``: one sentence, no full stop."""
        if text not in self._notes:
            self._notes.append(text)

    def counted(self) -> list[str]:
        """What was counted so far, as sentences: "3 of 9,003 rows truncated to 512 tokens". Override to count."""
        return []

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts people must know; complete once every example is encoded. The job prints them."""
        return (*self._notes, *self.counted())

    # ---- rows ----------------------------------------------------------------------------------

    @abstractmethod
    def parse(self, row: Row, *, labelled: bool = True) -> E:
        """One row, columns already mapped, as an example.

        Args:
            labelled: False when predicting: target columns may be missing.

        Raises:
            RowError: why not; the caller collects all of them with file and line.
        """

    @abstractmethod
    def fit(self, examples: Sequence[E]) -> None:
        """Learn what must be known before the model exists (labels). Called once, with the training split."""

    def check(self, examples: Sequence[E], split: str) -> None:
        """Examples of another split against what was fitted.

        Raises:
            DataError: e.g. a label that training never saw.
        """
        return

    def texts(self, examples: Sequence[E]) -> list[str]:
        """The text of the examples, for training a tokenizer from scratch. Empty for tasks without text."""
        return []

    # ---- model ---------------------------------------------------------------------------------

    @abstractmethod
    def build(self, source: ModelSource) -> nn.Module:
        """The model with this task's head; also binds the tokenizer or image settings to ``self``."""

    def start_encoding(self, examples: Sequence[E]) -> None:
        """``encode`` is about to be called for these, in order, by this object or by copies of it."""
        return

    @abstractmethod
    def encode(self, example: E, row: int) -> list[Encoded]:
        """One example as numbers: one item; several for a long text; none when skipped (see ``counted``)."""

    def encode_all(self, examples: Sequence[E]) -> list[Encoded]:
        """Every example as numbers, in order.

        Raises:
            DataError: what ``encode`` refused, over all examples together.
        """
        self.start_encoding(examples)
        items, refused = self.encode_some(examples)
        if refused:
            raise refusal(refused, len(examples))
        return items

    def encode_some(self, examples: Iterable[E], first: int = 0) -> tuple[list[Encoded], list[DataError]]:
        """Some of the examples, of which the first has the index ``first``; and what ``encode`` refused of them."""
        items: list[Encoded] = []
        refused: list[DataError] = []
        for row, example in enumerate(examples, start=first):
            try:
                items += self.encode(example, row)
            except DataError as error:
                if not error.problems:
                    raise
                refused.append(error)
        return items, refused

    def augmented(self, item: Encoded, examples: Sequence[E], change: Callable[[Any], Any]) -> Encoded:
        """A training item with what ``augments`` names changed, and everything else as it is.

        Called for every row of every step, on a copy of the task whose counts nobody reads, possibly in another thread.

        Args:
            item: of the plain row.
            examples: of the training split; the item's is ``examples[item.row]``.
            change: of pixels, uint8 (H, W, C), or of a text.
        """
        raise TypeError(f"{type(self).__name__} says nothing about transforms")

    def before_training(
        self, model: nn.Module, splits: Mapping[str, Sequence[Encoded]], *, device: torch.device, precision: str
    ) -> None:
        """Learn what must be known of the model before its weights move, such as reference probabilities.

        Called once, with the model to be trained in place and every item of every split; ``precision`` is that of
        training. Must not draw random numbers, and must give the same again when a job is resumed.
        """
        return

    @abstractmethod
    def collate(self, items: Sequence[Encoded]) -> Batch:
        """Pad and stack. Exact: padding changes no loss and no gradient."""

    def model_inputs(self, model: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Keyword arguments of the model's forward for a batch with labels."""
        return batch.inputs

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """The *sum* of the losses over the batch's targets: a float32 scalar.

        The loop divides by the targets of the whole step, so that any split of a step into parts gives
        the same gradient.
        """

    @abstractmethod
    def outputs(self, model: nn.Module, batch: Batch) -> list[O]:
        """What the model says, one per row of the batch. Called under ``torch.inference_mode``.

        An engine that answers rows calls it from several threads at once, each with a batch of its own, and likewise
        ``collate``.
        """

    # ---- answers -------------------------------------------------------------------------------

    def calibrate(self, outputs: Sequence[O]) -> tuple[list[O], str] | None:
        """Learn how sure the finished model's answers may be; what is learned belongs to ``state``.

        Called once, with the outputs of the validation rows, of which there may be none. The same outputs must give the
        same again, whatever was learned before.

        Returns:
            The outputs as they are from now on, and what people must know of it: one sentence, no full stop.
            ``None``: this task learns nothing here.
        """
        return None

    @abstractmethod
    def score(self, outputs: Sequence[O], examples: Sequence[E]) -> dict[str, float]:
        """Figures over a split; ``examples[i]`` belongs to ``outputs[i]``. Holds every name of ``metrics``."""

    def answer(self, output: O) -> dict[str, Any]:
        """One output as a JSON object for ``tunesmith predict``. Tasks that generate leave this to the engine."""
        raise TypeError(f"{type(self).__name__} answers by generating text")

    def answer_row(self, outputs: Sequence[O], example: E) -> dict[str, Any]:
        """One row as a JSON object, from the outputs of all its items.

        Default: the answer to its one item; several items (a long text) have an answer each, under ``parts``.
        """
        answers = [self.answer(output) for output in outputs]
        return answers[0] if len(answers) == 1 else {"parts": answers}

    def reference(self, example: E) -> str | None:
        """The text that a generated answer is compared with; ``None`` where a row has none."""
        return None

    def sections(self, outputs: Sequence[O], examples: Sequence[E]) -> list[Section]:
        """What this task shows in the report beside the curves."""
        return []

    def inspect(self, model: nn.Module, items: Sequence[Encoded], examples: Sequence[E]) -> list[Section]:
        """What this task shows that has to ask the model again, such as what each column is worth to it.

        Called for a report only, with every item of a split, ``item.row`` an index of ``examples``; the model is in
        evaluation mode.
        """
        return []

    # ---- what is saved with the model ----------------------------------------------------------

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything predicting needs beside the weights and the tokenizer files, as JSON."""

    def files(self) -> dict[str, bytes]:
        """Further files of the model's folder, by relative path: for other programs, or too large for ``state``."""
        return {}

    @abstractmethod
    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        """The counterpart of ``state`` and ``build``: set up ``self`` and give the trained model."""
