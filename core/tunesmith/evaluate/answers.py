# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows answered by the model, and figures of its answers: the built-in metrics' and those of plugins.

The functions are tried out before a job starts, on the references themselves. What fails then is an error; what fails
later, on the answers of a model, costs that figure and not the job.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from tunesmith.engine.inputs import prompt_of
from tunesmith.engine.items import TOKENS_PER_BATCH
from tunesmith.engine.native import NativeEngine
from tunesmith.errors import NotFoundError, Origin, PluginError, RecipeError, TunesmithError
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import evaluation_mode
from tunesmith.plugin import MetricSpec
from tunesmith.recipe.schema import EvaluateSection
from tunesmith.tasks.base import Encoded, Metric, Task
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.sections import Table

if TYPE_CHECKING:
    from tunesmith.registry import Registry

__all__ = ["AnswerScores", "Answered", "Examiner", "find_metric", "resolve_metrics"]

SHOWN = 20
NOT_USUAL = frozenset({"number_match"})
"""Built-in metrics that are computed only where they are asked for: they suit some data alone."""

_OPTIONS = ("examples", "tokenize")
"""What a metric's function may take by keyword beside answers and references."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A row and what the model wrote for it.

    Attributes:
        origin: where the row stands.
        prompt: its last words, for people.
        reference: what was to be written.
        text: what was written.
        finish: ``stop`` when the answer came to its end, ``length`` when it was cut.
    """

    origin: Origin
    prompt: str
    reference: str
    text: str
    finish: str


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """Figures of answers.

    Attributes:
        metrics: name to value; a metric that failed is not there.
        notes: what failed, and what was counted, as sentences.
        answered: the rows.
    """

    metrics: dict[str, float]
    notes: tuple[str, ...]
    answered: tuple[Answered, ...]

    def section(self) -> Table:
        """The first answers beside their references, for the report."""
        cut = sum(one.finish == "length" for one in self.answered)
        return Table(
            title="Answers",
            note=f"{plural(len(self.answered), 'row')} answered greedily; {plural(cut, 'answer')} cut.",
            header=("where", "prompt", "reference", "answer"),
            rows=[
                (str(one.origin), excerpt(one.prompt), excerpt(one.reference), excerpt(one.text))
                for one in self.answered[:SHOWN]
            ],
        )


def _metric_names(task: Task[Any, Any], registry: Registry) -> dict[str, Metric]:
    """Every figure of generated answers that suits a task, by the name a recipe gives it; none if it writes no answers.

    The names are short while they are unique. What the task computes itself goes by that name first.
    """
    if not task.generates:
        return {}
    from tunesmith.tasks.rendering import task_name

    offered = registry.all("metric")
    short = [one.spec.name for one in offered]
    found = {}
    for one in offered:
        spec = cast(MetricSpec, one.spec)
        if spec.tasks and not {task_name(task, registry), task_name(task, registry).partition("/")[2]} & {*spec.tasks}:
            continue
        metric = Metric(name=spec.name, greater_is_better=spec.greater_is_better, summary=spec.summary)
        found[one.full_name] = metric
        if short.count(spec.name) == 1:
            found[spec.name] = metric
    return found


def resolve_metrics(section: EvaluateSection, task: Task[Any, Any], registry: Registry) -> EvaluateSection:
    """``evaluate`` of a recipe with its ``metrics`` written out, where answers are to be generated.

    Raises:
        RecipeError: an unknown metric, metrics without ``generate``, or a task that writes no answers.
    """
    asked = [*section.metrics, *([section.metric] if section.metric is not None else [])]
    own = {metric.name for metric in task.metrics}
    known = _metric_names(task, registry)
    if not section.generate:
        idle = next((name for name in asked if name in known and name not in own), None)
        if section.metrics or idle is not None:
            name = idle or section.metrics[0]
            raise RecipeError(
                f"{name!r} is a figure of generated answers, and none are generated"
                if known
                else f"evaluate.metrics are figures of generated answers, and {_called(task, registry)} writes none",
                given=f"evaluate.metrics: {', '.join(asked)}; evaluate.generate: 0",
                expected="evaluate.generate: how many rows to answer at each evaluation" if known else "no metrics",
                fix="--set evaluate.generate=100; to `tunesmith evaluate`: --generate 100"
                if known
                else "leave evaluate.metrics out",
            )
        return section
    if not task.generates:
        raise RecipeError(
            f"{_called(task, registry)} writes no answers that could be generated",
            given=f"evaluate.generate: {section.generate}",
            expected="a task that writes answers, as chat and seq2seq do",
            fix="leave evaluate.generate out",
        )
    built_in = [one.spec.name for one in registry.all("metric") if one.plugin == "tunesmith"]
    names = section.metrics or [name for name in built_in if name in known and name not in NOT_USUAL]
    if section.metric is not None and section.metric not in own | {*names}:
        names = [*names, section.metric]
    for name in names:
        if name not in own:
            find_metric(name, task, registry)
    return section.model_copy(update={"metrics": list(dict.fromkeys(names))})


def _called(task: Task[Any, Any], registry: Registry) -> str:
    from tunesmith.tasks.rendering import task_name

    return f"the task {task_name(task, registry).removeprefix('tunesmith/')}"


def find_metric(name: str, task: Task[Any, Any], registry: Registry, *, key: str = "evaluate.metrics") -> Metric:
    """A figure of generated answers by its name.

    Args:
        key: of the recipe, for the message.

    Raises:
        RecipeError: no metric of that name, or none for this task; names the one that was probably meant.
    """
    known = _metric_names(task, registry)
    if name in known:
        found = known[name]
        return Metric(name=name, greater_is_better=found.greater_is_better, summary=found.summary)
    names = [*dict.fromkeys([*(metric.name for metric in task.metrics), *known])]
    near = difflib.get_close_matches(name, names, n=1)
    fix = [f"did you mean {near[0]!r}?"] if near else []
    try:
        registry.find("metric", name)
    except NotFoundError as error:
        fix += [line for line in error.fix if line not in fix and not line.startswith("did you mean")]
        what = f"there is no metric {name!r}"
    else:
        what = f"the metric {name!r} is not for this task"
    raise RecipeError(
        what,
        given=f"{key}: {name}",
        expected=" or ".join(name for name in names if "/" not in name) or "a task that writes answers",
        fix=fix or None,
    )


class Examiner:
    """Lets a model answer rows, and scores the answers.

    Args:
        section: ``evaluate`` of the recipe, resolved: ``metrics`` names at least one figure.
        task: whose rows they are; knows their references.
        registry: where metrics are.

    Raises:
        RecipeError: an unknown metric.
        PluginError: a metric's target cannot be loaded, or is no function of answers and references.
    """

    def __init__(self, section: EvaluateSection, task: Task[Any, Any], registry: Registry) -> None:
        own = {metric.name for metric in task.metrics}
        self.metrics = tuple(find_metric(name, task, registry) for name in section.metrics if name not in own)
        self._functions = {metric.name: _Function(metric.name, registry) for metric in self.metrics}
        self._rows = section.generate
        self._longest = section.answer_tokens
        self._options = {"tokenize": section.tokenize}
        self._failed: set[str] = set()

    def choose(self, task: Task[Any, Any], items: Sequence[Encoded], examples: Sequence[Any]) -> list[Any]:
        """The rows to answer: with a reference, not left out as too long, at even distances."""
        usable = sorted({item.row for item in items})
        rows = [row for row in usable if task.reference(examples[row]) is not None]
        count = min(self._rows, len(rows))
        return [examples[rows[place * len(rows) // count]] for place in range(count)]

    def rehearse(self, task: Task[Any, Any], examples: Sequence[Any]) -> list[str]:
        """Score the references as if they were answers, before anything is trained.

        Returns:
            What people should know of the references, as sentences.

        Raises:
            RecipeError: a figure cannot be computed on these references, or needs a package that is not there.
            PluginError: a plugin's function fails.
        """
        references = _references(task, examples)
        for name, function in self._functions.items():
            try:
                function(references, references, self._options | {"examples": tuple(examples)})
            except TunesmithError:
                raise
            except (Exception, SystemExit) as error:
                raise _unusable(name, function, error) from error
        tokenizer = getattr(task, "tokenizer", None)
        if tokenizer is None:
            return []
        longer = sum(len(tokenizer(text, verbose=False)["input_ids"]) > self._longest for text in references)
        if not longer:
            return []
        return [
            f"{longer:,} of {len(references):,} references are longer than evaluate.answer_tokens ({self._longest:,} "
            "tokens), and their answers will be cut there"
        ]

    def measure(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        examples: Sequence[Any],
        *,
        device: torch.device,
        precision: str = "fp32",
    ) -> AnswerScores:
        """Answer rows greedily, and score the answers. No random state moves, whatever a metric does.

        Args:
            examples: from :meth:`choose`.
            precision: ``bf16`` computes under autocast, as training in bf16 does.
        """
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            answered, notes = self._answer(task, model, examples, device, precision)
            texts, references = tuple(one.text for one in answered), _references(task, examples)
            metrics = {}
            for name, function in self._functions.items():
                try:
                    metrics[name] = function(texts, references, self._options | {"examples": tuple(examples)})
                except (Exception, SystemExit) as error:
                    if name not in self._failed:
                        self._failed.add(name)
                        logger.exception("the metric %r failed; the job goes on without this figure", name)
                    notes.append(f"no {name}: {type(error).__name__}: {_line(error)}")
        return AnswerScores(metrics, tuple(notes), answered)

    def _answer(
        self, task: Task[Any, Any], model: nn.Module, examples: Sequence[Any], device: torch.device, precision: str
    ) -> tuple[tuple[Answered, ...], list[str]]:
        language: Any = task  # tasks that generate have more than the common contract
        with evaluation_mode(model), autocast(precision, device):
            engine = NativeEngine.of(task, model)
            prompts = [language.prompt_tokens(prompt_of(example)) for example in examples]
            room = [engine.room(len(prompt)) for prompt in prompts]
            fits = [place for place, left in enumerate(room) if left is None or left > 0]
            found = engine.answers(
                [prompts[place] for place in fits],
                max_new_tokens=self._longest,
                stop_tokens=frozenset(language.stop_tokens()),
                tokens_per_batch=TOKENS_PER_BATCH,
            )
        texts: dict[int, tuple[str, str]] = dict(zip(fits, found, strict=True))
        answered = tuple(
            Answered(example.origin, _words(prompt_of(example)), reference, *texts.get(place, ("", "length")))
            for place, (example, reference) in enumerate(zip(examples, _references(task, examples), strict=True))
        )
        full = len(examples) - len(fits)
        notes = [f"{plural(full, 'prompt')} left no room for an answer, which counts as empty"] if full else []
        return answered, notes


class _Function:
    """A metric's function, called with what it takes."""

    def __init__(self, name: str, registry: Registry) -> None:
        provided = registry.find("metric", name)
        self.plugin = provided.plugin
        self._call = cast(Callable[..., Any], registry.load("metric", name))
        try:
            parameters = inspect.signature(self._call).parameters.values()
            inspect.signature(self._call).bind((), (), **{key: None for key in _OPTIONS if _takes(parameters, key)})
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"the metric {name!r} of the plugin {self.plugin!r} cannot be called",
                given=f"{provided.spec.target}: {error}",
                expected=f"a function (answers, references) -> float; if it likes, {' and '.join(_OPTIONS)} too",
                fix=f"update or correct the plugin {self.plugin!r}",
            ) from error
        self._takes = [key for key in _OPTIONS if _takes(parameters, key)]

    def __call__(self, answers: Sequence[str], references: Sequence[str], options: Mapping[str, Any]) -> float:
        """The figure.

        Raises:
            ValueError: it is no finite number.
        """
        value = self._call(answers, references, **{key: options[key] for key in self._takes})
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"it gave {value!r}, expected a finite number")
        return number


def _takes(parameters: Iterable[inspect.Parameter], key: str) -> bool:
    return any(one.name == key or one.kind is one.VAR_KEYWORD for one in parameters)


def _references(task: Task[Any, Any], examples: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(task.reference(example)) for example in examples)


def _words(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else str(prompt[-1].content) if prompt else ""


def _unusable(name: str, function: _Function, error: BaseException) -> TunesmithError:
    if function.plugin == "tunesmith":
        return RecipeError(
            f"the metric {name!r} cannot be computed on these rows",
            given=_line(error),
            expected="references that it can read",
            fix="follow the words above, or leave it out of evaluate.metrics",
        )
    return PluginError(
        f"the metric {name!r} of the plugin {function.plugin!r} failed on the references, given as answers",
        given=f"{type(error).__name__}: {_line(error)}",
        expected="a finite number",
        fix=f"leave it out of evaluate.metrics, or update the plugin {function.plugin!r}",
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no reason given"
