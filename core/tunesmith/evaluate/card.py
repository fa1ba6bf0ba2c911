# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The model card: ``README.md`` beside the weights, with the front matter the Hugging Face hub reads.

It says what the run knows and claims nothing else. No path of the machine goes in, since the folder will travel;
no licence either, since only its owner can give one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from tunesmith.evaluate.facts import Figure, RunFacts, duration, read_facts, rows_text
from tunesmith.evaluate.usage import command_for, python_call

if TYPE_CHECKING:
    from tunesmith.recipe import Recipe
    from tunesmith.registry import Registry
    from tunesmith.runs import Run

__all__ = ["render_card", "write_card"]

_PIPELINES = {
    "text-classification": "text-classification",
    "token-classification": "token-classification",
    "question-answering": "question-answering",
    "causal-lm": "text-generation",
    "chat": "text-generation",
    "seq2seq": "text2text-generation",
    "image-classification": "image-classification",
    "tabular-classification": "tabular-classification",
    "tabular-regression": "tabular-regression",
    "embedding": "sentence-similarity",
    "preference": "text-generation",
    "reward": "text-classification",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_USES = {
    "text-classification": "It sorts texts into the labels it was trained on.",
    "token-classification": "It tags words, or finds entities, of the types it was trained on.",
    "question-answering": "It answers questions with passages of a text that comes with them.",
    "image-classification": "It sorts images into the labels it was trained on.",
    "tabular-classification": "It sorts rows of a table into the labels it was trained on.",
    "tabular-regression": "It predicts a number for rows of a table like those it was trained on.",
    "causal-lm": "It goes on with a text in the manner of its training text.",
    "chat": "It answers conversations in the manner of its training conversations.",
    "seq2seq": "It writes targets, such as translations or summaries, for sources like those it was trained on.",
    "embedding": "It makes vectors of texts; those that belong together, as in its training pairs, are close.",
    "preference": "It answers more as the chosen answers of its training pairs do, and less as the rejected ones.",
    "reward": "It scores answers: higher for what is like the chosen answers of its training pairs.",
}
_TRAINED_WITH = (
    "epochs",
    "max_steps",
    "learning_rate",
    "schedule",
    "warmup_steps",
    "weight_decay",
    "tokens_per_batch",
    "rows_per_batch",
    "precision",
    "seed",
)


def write_card(
    run: Run,
    *,
    before: Mapping[str, Mapping[str, float]] | None = None,
    registry: Registry | None = None,
) -> Path:
    """Write ``README.md`` into the run's model folder.

    Args:
        run: read for manifest, recipe and metrics.
        before: figures before training, by split. Default: what the run measured at step 0.
        registry: where the task is looked up. Default: the process's registry.

    Returns:
        The file.

    Raises:
        OutputError: the folder cannot be written.
    """
    from tunesmith.runs import atomic_write

    file: Path = run.model_folder / "README.md"
    atomic_write(file, render_card(run, before=before, registry=registry).encode("utf-8", errors="replace"))
    return file


def render_card(
    run: Run,
    *,
    before: Mapping[str, Mapping[str, float]] | None = None,
    registry: Registry | None = None,
) -> str:
    """The card's Markdown; see :func:`write_card`."""
    facts = read_facts(run, before=before, registry=registry)
    recipe = run.recipe()
    parts = [
        _front_matter(facts, recipe),
        f"# {_text(facts.name)}",
        _introduction(facts),
        "## Intended use\n\n" + _intended_use(facts),
        "## How to use it\n\n" + _usage(facts),
        "## Results\n\n" + _results(facts),
        "## Training data\n\n" + _data(facts),
        "## Training procedure\n\n" + _procedure(facts, recipe),
        "## Limitations\n\n" + _limitations(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: RunFacts, recipe: Recipe) -> str:
    import yaml

    short = _short(facts.task)
    matter: dict[str, Any] = {"library_name": "tunesmith"}
    if facts.base_revision:
        matter["base_model"] = facts.model
    if short in _PIPELINES:
        matter["pipeline_tag"] = _PIPELINES[short]
    matter["tags"] = ["tunesmith", short, facts.method]
    figures = [figure for figure in facts.figures if math.isfinite(figure.value)]
    if figures:
        matter["metrics"] = [figure.name for figure in figures]
        matter["model-index"] = [{"name": facts.name, "results": [_index_entry(facts, figures, recipe)]}]
    text = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---"


def _index_entry(facts: RunFacts, figures: list[Figure], recipe: Recipe) -> dict[str, Any]:
    short = _short(facts.task)
    own_files = {"test": recipe.data.test, "validation": recipe.data.validation}
    sources = own_files.get(figures[0].split) or recipe.data.train  # without files of its own: cut off the training's
    name = ", ".join(_base_name(source) for source in sources)
    return {
        "task": {"type": _PIPELINES.get(short, short)},
        "dataset": {"type": "local", "name": name, "split": figures[0].split},
        "metrics": [{"type": figure.name, "value": figure.value} for figure in figures],
    }


def _introduction(facts: RunFacts) -> str:
    size = f" It has {facts.parameters:,} parameters." if facts.parameters else ""
    if facts.model.startswith("scratch:"):
        origin = f"trained from scratch (`{_code(facts.model.removeprefix('scratch:'))}`)"
    else:
        origin = f"fine-tuned from `{_code(_model_name(facts))}` with the method `{_code(facts.method)}`"
    return f"A model for the task `{_code(facts.task)}`, {origin} with Tunesmith.{size}"


def _intended_use(facts: RunFacts) -> str:
    use = _USES.get(_short(facts.task), f"It answers rows of the task {_text(facts.task)}.")
    return f"{use} Try it on rows of your own before you rely on it."


def _usage(facts: RunFacts) -> str:
    place = "path/to/this/folder"
    python = f'```python\nimport tunesmith\n\nmodel = tunesmith.load("{place}")\nprint({python_call(facts)})\n```'
    return f"{python}\n\n```\n{command_for(facts, place)[1]}\n```"


def _results(facts: RunFacts) -> str:
    if not facts.figures:
        return "The model was not scored: no validation or test rows were given."
    rows = facts.rows.get(facts.figures[0].split)
    with_before = any(figure.before is not None for figure in facts.figures)
    head = ["metric", *(["before training"] if with_before else []), "after", "what it is"]
    lines = [_table_row(head), _table_row(["---"] * len(head))]
    for figure in facts.figures:
        before = [figure.before or "–"] if with_before else []
        lines.append(_table_row([_text(figure.name), *before, f"**{figure.text}**", _text(figure.summary)]))
    where = f"On the {figure.split} split" + (f" ({rows_text(rows)})." if rows else ".")
    return where + "\n\n" + "\n".join(lines)


def _data(facts: RunFacts) -> str:
    counts = ", ".join(rows_text(count, split) for split, count in facts.rows.items())
    parts = [f"{counts}." if counts else "The run does not say how many rows there were."]
    if facts.files:
        lines = [_table_row(["file", "rows", "SHA-256"]), _table_row(["---"] * 3)]
        lines += [
            _table_row(
                [
                    f"`{_code(_base_name(file.name))}`",
                    "–" if file.rows is None else f"{file.rows:,}",
                    f"`{_code(file.sha256)}`" if file.sha256 else "–",
                ]
            )
            for file in facts.files
        ]
        parts.append("\n".join(lines))
    if facts.notes:
        parts.append("\n".join(f"- {_text(_without_folders(note, facts))}" for note in facts.notes))
    return "\n\n".join(parts)


def _procedure(facts: RunFacts, recipe: Recipe) -> str:
    lines = [f"- method: {_text(facts.method)}"]
    if facts.trainable is not None and facts.parameters:
        lines.append(f"- trained parameters: {facts.trainable:,} of {facts.parameters:,}")
    for key in _TRAINED_WITH:
        value = getattr(recipe.train, key)
        if value is not None:
            lines.append(f"- {key.replace('_', ' ')}: {_text(value)}")
    if facts.total_steps is not None:
        lines.append(f"- steps: {facts.total_steps:,}")
    if facts.best_step is not None and facts.best_step != facts.total_steps:
        lines.append(f"- weights: those of step {facts.best_step:,}, the best on the validation split")
    if facts.seconds is not None:
        lines.append(f"- time: {duration(facts.seconds)} on {_text(facts.device or 'an unnamed device')}")
    if facts.base_digest:
        lines.append(f"- base weights: `{_code(facts.base_digest)}`")
    return "\n".join(lines)


def _limitations(facts: RunFacts) -> str:
    lines = ["- It knows what its training rows and its base model taught it, mistakes and biases included."]
    if facts.generates:
        lines.append("- It writes what is likely, which need not be true.")
    elif _short(facts.task).endswith("classification"):
        lines.append("- It answers every input with one of its labels, also where none fits.")
    if not facts.figures:
        lines.append("- Nobody has measured how good it is.")
    elif facts.figures[0].split != "test":
        lines.append("- The figures are of rows that also chose the weights, so they may be a little too good.")
    return "\n".join(lines)


def _short(task: str) -> str:
    return task.rpartition("/")[2]


def _model_name(facts: RunFacts) -> str:
    """The base model's name without a path of this machine."""
    if facts.base_revision or facts.model.startswith("tunesmith/"):
        return facts.model
    return PurePath(facts.model).name or facts.model


def _base_name(name: str) -> str:
    """A file's name without its folders; references (``hub:``, ``dataset:``) stay whole."""
    return name if name.startswith(("hub:", "dataset:")) else PurePath(name).name or name


def _without_folders(note: str, facts: RunFacts) -> str:
    """A note that names files of the run, without the folders of this machine."""
    for file in sorted(facts.files, key=lambda file: -len(file.name)):
        note = note.replace(file.name, _base_name(file.name)) if file.name else note
    return note


def _text(value: object) -> str:
    """Any text as plain words of one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(value).split()))


def _code(value: object) -> str:
    """Any text inside backticks, also in a table."""
    return " ".join(str(value).split()).replace("`", "'").replace("|", "¦")


def _table_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
