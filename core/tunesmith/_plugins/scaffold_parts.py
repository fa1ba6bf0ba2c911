# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a new plugin may bring, and how each is tried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DEFAULT", "PARTS", "Part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of thing that ``tunesmith plugins new --with KIND`` writes.

    Attributes:
        summary: one line for ``--help``.
        spec: class in :mod:`tunesmith.plugin` that describes it.
        heading: of its part of the plugin's README.
        says: a sentence or two under it.
        module: of the package, without ``.py``.
        beside: other files that it needs, in the package.
        needs: what the plugin's distribution asks for because of it, beside Tunesmith.
        uses: commands, or lines of a recipe, to try it; ``<< name >>`` and the like are filled in.
    """

    summary: str
    spec: str
    heading: str
    says: str
    module: str
    uses: tuple[str, ...]
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


_TRAIN = "tunesmith train --task text-classification --model tunesmith/tiny"

PARTS: Mapping[str, Part] = {
    "dataset": Part(
        summary="rows that come with the plugin",
        spec="DatasetSpec",
        heading="A dataset",
        says="Thirty reviews of kettles with 1 to 5 stars, made up for this plugin, in `train` and `test`.",
        module="data",
        beside=("train.jsonl", "test.jsonl"),
        uses=(
            "tunesmith datasets list",
            "tunesmith train --task << task >> --model tunesmith/tiny --train 'dataset:<< name >>#train' \\",
            "    --test 'dataset:<< name >>#test' --out runs/<< name >>",
        ),
    ),
    "task": Part(
        summary="something to learn, with figures and a part of the report of its own",
        spec="TaskSpec",
        heading="A task",
        says=(
            "How good a text says something is, on a scale from 1. The rows are files with the columns `text` and "
            "`rating`."
        ),
        module="task",
        needs=("numpy>=1.26",),
        uses=(
            "tunesmith train --task << name >> --model tunesmith/tiny --train rows.csv --out runs/mine",
            "tunesmith predict runs/mine rows.csv",
        ),
    ),
    "command": Part(
        summary="a command of the tunesmith program",
        spec="CommandSpec",
        heading="A command",
        says="How often a model gives each answer to the rows of a file.",
        module="cli",
        needs=("typer>=0.28,<1",),
        uses=("tunesmith << name >> --help", "tunesmith << name >> count runs/mine rows.csv"),
    ),
    "reader": Part(
        summary="a file format",
        spec="ReaderSpec",
        heading="A reader",
        says="Files of cards: lines of `name: value`, and a blank line between rows.",
        module="reader",
        uses=(f"{_TRAIN} --train rows.<< suffix >> --out runs/cards",),
    ),
    "metric": Part(
        summary="a figure of generated answers",
        spec="MetricSpec",
        heading="A metric",
        says="Share of the numbers in the references that the answers repeat. For tasks that write text.",
        module="metric",
        uses=("tunesmith train chat.yaml --set evaluate.metrics=<< name >>",),
    ),
    "augmentation": Part(
        summary="a random change of training rows",
        spec="AugmentationSpec",
        heading="An augmentation",
        says="Some words of each training row in capitals, others in each epoch. In a recipe:",
        module="augmentation",
        needs=("numpy>=1.26", "pydantic>=2.12"),
        uses=("data: {augment: [{name: << name >>, share: 0.3}]}",),
    ),
    "transform": Part(
        summary="a change of rows before a task reads them",
        spec="TransformSpec",
        heading="A transform",
        says="One space in the place of any white space, in every row. In a recipe:",
        module="transform",
        needs=("pydantic>=2.12",),
        uses=("data: {transform: [{name: << name >>}]}",),
    ),
    "objective": Part(
        summary="a loss to train with",
        spec="ObjectiveSpec",
        heading="An objective",
        says="The Brier score as what is minimized, for tasks that give labels. In a recipe:",
        module="objective",
        uses=("objective: << name >>",),
    ),
    "tracker": Part(
        summary="where the figures of a run go as well",
        spec="TrackerSpec",
        heading="A tracker",
        says="A line a step in `steps.csv` of the run folder. In a recipe:",
        module="tracker",
        uses=("trackers: [{name: << name >>}]",),
    ),
    "report_section": Part(
        summary="a part of a run's report",
        spec="ReportSectionSpec",
        heading="A part of the report",
        says="How long the rows are that the model is scored on. In a recipe:",
        module="report",
        needs=("numpy>=1.26", "pydantic>=2.12"),
        uses=("evaluate: {sections: [{name: << name >>}]}",),
    ),
}
"""By the word that ``--with`` takes, in the order in which the hooks are written."""

DEFAULT = ("dataset", "task", "command")
"""What a plugin brings when nobody says what."""
