# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What classifying texts, images and rows of tables has in common: labels, loss, answers, scores, report.

Shapes: R rows of a batch, K labels, N rows of a split.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from tunesmith.errors import ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks import metrics as figures
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.classification_report import calibration_table, label_table, mistakes, most_confused
from tunesmith.tasks.labels import Labelled, learn_labels, not_one_label, rare_labels, unseen_labels
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.state import state_above_zero
from tunesmith.tasks.temperature import COLDEST, HOTTEST, fit_temperature

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["CLASSIFICATION_METRICS", "THRESHOLD", "ClassOutput", "Classification"]

X = TypeVar("X", bound=Labelled)

THRESHOLD = 0.0
"""Several labels per row: a label is given from this logit on, which is a probability of 0.5 at any temperature."""

CLASSIFICATION_METRICS = (
    Metric(name="accuracy", greater_is_better=True, summary="share of rows whose label (whole set of labels) is right"),
    Metric(name="macro_f1", greater_is_better=True, summary="mean F1 over the labels that occur"),
    Metric(
        name="micro_f1", greater_is_better=True, summary="F1 over all decisions; accuracy where rows have one label"
    ),
    Metric(name="precision", greater_is_better=True, summary="mean precision over the labels that occur"),
    Metric(name="recall", greater_is_better=True, summary="mean recall over the labels that occur"),
    Metric(name="roc_auc", greater_is_better=True, summary="area under the ROC curve, a label against the rest, mean"),
    Metric(name="pr_auc", greater_is_better=True, summary="average precision, a label against the rest, mean"),
    Metric(name="ece", greater_is_better=False, summary="expected calibration error: confidence less share right"),
    Metric(name="loss", greater_is_better=False, summary="mean of the objective per row, nats"),
)
UNCALIBRATED = Metric(
    name="ece_uncalibrated", greater_is_better=False, summary="ece without the temperature fitted on validation rows"
)
_AS_THEY_ARE = "probabilities are as the network gives them"


@dataclass(frozen=True, slots=True)
class ClassOutput:
    """What a classifier says about one row.

    Attributes:
        probabilities: float32 (K,), at the task's temperature; they sum to 1 unless a row may have several labels.
        loss: the objective's of these, nats; ``None`` where the labels are unknown.
        truth: indices of the true labels; ``None`` where they are unknown.
        logits: float32 (K,), as the network gives them.
    """

    probabilities: np.ndarray[Any, np.dtype[np.float32]]
    loss: float | None
    truth: tuple[int, ...] | None
    logits: np.ndarray[Any, np.dtype[np.float32]]


class Classification(Task[X, ClassOutput]):
    """One label out of several; or, with lists of labels or a ``data.label_separator``, any number of them.

    Objectives: ``cross-entropy`` and ``focal`` (:mod:`tunesmith.tasks.classification_losses`), and those of plugins.

    Attributes:
        temperature: what logits are divided by before they become probabilities; ``None`` (as 1) until the finished
            model's was fitted.
    """

    metrics: ClassVar[tuple[Metric, ...]] = CLASSIFICATION_METRICS
    final_metrics: ClassVar[tuple[Metric, ...]] = (UNCALIBRATED,)
    terms: ClassVar[Mapping[str, str]] = {
        "logits": "(R, K): as the network gives them; of evaluations, divided by the temperature",
        "labels": "int64 (R,): index of the label; with several labels a row (R, K), of zeros and ones",
    }
    default_objective = "tunesmith/cross-entropy"

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.temperature: float | None = None
        self.multi_label = False
        self.labels: tuple[str, ...] = ()
        self._index: dict[str, int] = {}
        self._training: Sequence[X] | None = None

    # ---- rows ----------------------------------------------------------------------------------

    def fit(self, examples: Sequence[X]) -> None:
        self.multi_label = self.data.label_separator is not None or any(example.several for example in examples)
        self._set_labels(learn_labels(examples, multi_label=self.multi_label))
        rare = rare_labels(examples)
        if rare is not None:
            self.note(rare)
        self._training = examples  # until build(): a tokenizer or image settings may have to be learned from them

    def check(self, examples: Sequence[X], split: str) -> None:
        error = unseen_labels(examples, self.labels, split)
        if error is None and not self.multi_label:
            error = not_one_label(examples, split)
        if error is not None:
            raise error

    # ---- model ---------------------------------------------------------------------------------

    def head_config(self) -> dict[str, Any]:
        """Configuration of a head with this task's labels, in transformers' names."""
        return {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": dict(self._index),
            "problem_type": "multi_label_classification" if self.multi_label else "single_label_classification",
        }

    def encode_label(self, example: X) -> dict[str, np.ndarray[Any, Any]]:
        """The feature ``label``: an index, or float32 (K,) of zeros and ones; nothing for an unlabelled example."""
        if example.labels is None:
            return {}
        error = unseen_labels([example], self.labels, "given")
        if error is not None:
            raise error
        found = [self._index[label] for label in example.labels]
        if not self.multi_label:
            return {"label": np.asarray(found[0], dtype=np.int64)}
        ones = np.zeros(len(self.labels), dtype=np.float32)
        ones[found] = 1
        return {"label": ones}

    def collate_labels(self, items: Sequence[Encoded]) -> torch.Tensor | None:
        """Labels of a batch, int64 (R,) or float32 (R, K); ``None`` unless every row has its label."""
        import torch

        if not all("label" in item.features for item in items):
            return None
        return torch.from_numpy(np.stack([item.features["label"] for item in items]))

    def logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """float32 (R, K)."""
        logits: torch.Tensor = model(**batch.inputs).logits
        return logits.float()

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        terms = {"logits": self.logits(model, batch), "labels": batch.labels}
        return self.chosen.total(terms, rows=len(batch.labels))

    def outputs(self, model: nn.Module, batch: Batch) -> list[ClassOutput]:
        return self._outputs(self.logits(model, batch), batch.labels, self.temperature)

    def _outputs(
        self, logits: torch.Tensor, labels: torch.Tensor | None, temperature: float | None
    ) -> list[ClassOutput]:
        scaled = logits if temperature is None else logits / temperature
        probabilities = (scaled.sigmoid() if self.multi_label else scaled.softmax(-1)).cpu().numpy()
        plain = logits.cpu().numpy()
        if labels is None:
            return [ClassOutput(row, None, None, own) for row, own in zip(probabilities, plain, strict=True)]
        losses = self.chosen.losses({"logits": scaled, "labels": labels}, rows=len(labels)).tolist()
        parts = zip(probabilities, losses, self._truths(labels), plain, strict=True)
        return [ClassOutput(*part) for part in parts]

    def _truths(self, labels: torch.Tensor) -> list[tuple[int, ...]]:
        if self.multi_label:
            return [tuple(np.flatnonzero(row).tolist()) for row in labels.cpu().numpy()]
        return [(index,) for index in labels.tolist()]

    # ---- answers -------------------------------------------------------------------------------

    def decide(self, output: ClassOutput) -> tuple[int, ...]:
        """Indices of the labels given to a row: the most likely one, or all from ``THRESHOLD`` on.

        By the logits: dividing by a temperature may round two of them to one number.
        """
        if self.multi_label:
            return tuple(np.flatnonzero(output.logits >= THRESHOLD).tolist())
        return (int(output.logits.argmax()),)

    def answer(self, output: ClassOutput) -> dict[str, Any]:
        by_label = dict(zip(self.labels, output.probabilities.astype(float).tolist(), strict=True))
        decided = [self.labels[index] for index in self.decide(output)]
        if self.multi_label:
            return {"labels": decided, "probabilities": by_label}
        return {"label": decided[0], "probability": by_label[decided[0]], "probabilities": by_label}

    def score(self, outputs: Sequence[ClassOutput], examples: Sequence[X]) -> dict[str, float]:
        truth, predicted = self._decisions(outputs)
        labelled = [output for output in outputs if output.truth is not None]
        probabilities = np.stack([output.probabilities for output in labelled])
        by_label = self._class_scores(truth, predicted)
        plain = labelled if self.temperature is None else self._at(None, labelled)
        return {
            "accuracy": figures.exact_match(truth, predicted),
            "macro_f1": figures.macro_f1(by_label),
            "micro_f1": figures.micro_f1(truth, predicted),
            "precision": figures.macro_precision(by_label),
            "recall": figures.macro_recall(by_label),
            "roc_auc": figures.roc_auc(truth, probabilities),
            "pr_auc": figures.pr_auc(truth, probabilities),
            "ece": self._calibration_error(labelled, truth, predicted),
            **({} if plain is labelled else {UNCALIBRATED.name: self._calibration_error(plain, truth, predicted)}),
            "loss": _mean_loss(labelled),
        }

    def sections(self, outputs: Sequence[ClassOutput], examples: Sequence[X]) -> list[Section]:
        pairs = [(o, e) for o, e in zip(outputs, examples, strict=True) if o.truth is not None]
        if not pairs:
            return []
        truth, predicted = self._decisions([output for output, _ in pairs])
        sections: list[Section] = []
        if not self.multi_label:
            counts = figures.confusion_matrix(truth.argmax(1), predicted.argmax(1), len(self.labels))
            sections.append(most_confused(self.labels, counts))
        sections.append(label_table(self.labels, self._class_scores(truth, predicted)))
        if self.temperature is not None:
            sections.append(self._calibration([output for output, _ in pairs], truth, predicted))
        sections.extend(self._mistakes(pairs))
        return sections

    # ---- calibration ---------------------------------------------------------------------------

    def calibrate(self, outputs: Sequence[ClassOutput]) -> tuple[list[ClassOutput], str]:
        """Fit the temperature; see :func:`tunesmith.tasks.temperature.fit_temperature`. It changes no decision."""
        self.temperature = None
        if not outputs:
            return [], f"there are no validation rows to fit a temperature on, so {_AS_THEY_ARE}"
        truth, predicted = self._decisions(outputs)
        logits = np.stack([output.logits for output in outputs])
        self.temperature = fit_temperature(logits, truth, several=self.multi_label)
        rows = plural(len(outputs), "validation row")
        if self.temperature is None:
            right = int((truth == predicted).all(1).sum())
            told = (
                f"no temperature from {COLDEST:g} to {HOTTEST:g} suits the {rows} ({right:,} right), so {_AS_THEY_ARE}"
            )
        else:
            told = f"probabilities are at temperature {self.temperature}, fitted on {rows}"
        return self._at(self.temperature, outputs), told

    def _at(self, temperature: float | None, outputs: Sequence[ClassOutput]) -> list[ClassOutput]:
        """What the same logits say at another temperature, of labelled rows."""
        import torch

        truth = torch.from_numpy(self._decisions(outputs)[0])
        logits = torch.from_numpy(np.stack([output.logits for output in outputs]))
        return self._outputs(logits, truth.float() if self.multi_label else truth.int().argmax(-1), temperature)

    def _calibration_error(
        self, outputs: Sequence[ClassOutput], truth: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]
    ) -> float:
        right = truth == predicted if self.multi_label else (truth == predicted).all(1)
        return figures.calibration_error(right.ravel(), self._sure(outputs).ravel())

    def _sure(self, outputs: Sequence[ClassOutput]) -> np.ndarray[Any, Any]:
        """Of each decision: a row with one label is one, sure to the degree of its label; else each label is one."""
        probabilities = np.stack([output.probabilities for output in outputs])
        sure: np.ndarray[Any, Any] = probabilities.max(1)
        return np.maximum(probabilities, 1 - probabilities) if self.multi_label else sure

    def _calibration(
        self, outputs: Sequence[ClassOutput], truth: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]
    ) -> Table:
        ways = (("as the network gives them", None), (f"at temperature {self.temperature}", self.temperature))
        rows = []
        for name, temperature in ways:
            told = self._at(temperature, outputs)
            error = self._calibration_error(told, truth, predicted)
            rows.append((name, error, float(self._sure(told).mean()), _mean_loss(told)))
        return calibration_table(rows)

    @abstractmethod
    def mistake_table(self, examples: Sequence[X], rows: Sequence[Sequence[str | float]], note: str) -> Table:
        """The worst mistakes with what the model saw; ``rows`` holds true, predicted, probability, loss."""

    def _mistakes(self, pairs: Sequence[tuple[ClassOutput, X]]) -> list[Section]:
        wrong = [(output, example) for output, example in pairs if self.decide(output) != output.truth]
        worst = mistakes([output.loss or 0.0 for output, _ in wrong])
        if not worst:
            return []
        rows = [self._mistake_row(wrong[index][0]) for index in worst]
        note = f"{len(wrong):,} of {len(pairs):,} rows are wrong; these have the greatest loss."
        return [self.mistake_table([wrong[index][1] for index in worst], rows, note)]

    def _mistake_row(self, output: ClassOutput) -> tuple[str | float, ...]:
        decided = self.decide(output)
        probability = float(output.probabilities[list(decided)].max()) if decided else float(output.probabilities.max())
        return (self._names(output.truth or ()), self._names(decided), probability, output.loss or 0.0)

    def _names(self, indices: tuple[int, ...]) -> str:
        return ", ".join(self.labels[index] for index in indices) or "(none)"

    def _decisions(self, outputs: Sequence[ClassOutput]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Truth and prediction of the labelled rows, both bool (N, K)."""
        labelled = [output for output in outputs if output.truth is not None]
        if not labelled:
            raise ValueError("none of these rows has a label to score against")
        truth = np.zeros((len(labelled), len(self.labels)), dtype=bool)
        predicted = np.zeros_like(truth)
        for row, output in enumerate(labelled):
            truth[row, list(output.truth or ())] = True
            predicted[row, list(self.decide(output))] = True
        return truth, predicted

    def _class_scores(self, truth: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]) -> figures.ClassScores:
        return figures.multi_label_scores(truth, predicted)

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        fitted = {} if self.temperature is None else {"temperature": self.temperature}
        return {
            "labels": list(self.labels),
            "multi_label": self.multi_label,
            "label_separator": self.data.label_separator,
            **fitted,
            **self.objective_state(),
        }

    def restore_labels(self, state: Mapping[str, Any], source: ModelSource) -> None:
        """Labels, temperature and objective of the saved state.

        Where nothing was saved, the labels are those of the model's configuration.
        """
        from tunesmith.tasks.rendering import labels_of_config

        saved = dict(state) if "labels" in state else labels_of_config(source)
        labels = saved["labels"]
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise ModelError(
                f"the labels saved with {source.name!r} cannot be used",
                given=repr(labels)[:200],
                expected="a list of texts",
                fix="save the model again, or repair rendering.json",
            )
        self.multi_label = saved.get("multi_label") is True
        self.temperature = state_above_zero(saved, "temperature") if "temperature" in saved else None
        self.restore_objective(saved.get("objective"))
        separator = saved.get("label_separator")
        if self.data.label_separator is None and isinstance(separator, str) and separator:
            self.data = self.data.model_copy(update={"label_separator": separator})
        self._set_labels(tuple(labels))

    def _set_labels(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._index = {label: index for index, label in enumerate(labels)}


def _mean_loss(outputs: Sequence[ClassOutput]) -> float:
    return float(np.mean([output.loss for output in outputs if output.loss is not None], dtype=np.float64))
