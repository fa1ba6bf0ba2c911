# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of a task before a job: its rows, its numbers, its loss, its scores and what is saved of it."""

from __future__ import annotations

import json
import math
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError
from tunesmith.models import find_model_by_name, save_model
from tunesmith.registry import get_registry
from tunesmith.tasks.base import Encoded, Metric, Task
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.testing.bench import Bench, outputs_of
from tunesmith.testing.findings import Check, Finding, SkipCheck, one_line
from tunesmith.testing.same import same
from tunesmith.testing.sample_rows import broken_rows

__all__ = ["learning_checks", "row_checks"]

_TOLERANCE = 1e-5  # of losses, relative to their size where that is more than 1
_STEPS, _LEARNED = 200, 0.05  # steps of learning by heart; loss of a target at which a row is known by heart
_SHARES = frozenset(("accuracy", "f1", "macro_f1", "exact_match", "precision", "recall"))
_SHOWN = 5  # broken rows that are told one by one


def row_checks(bench: Bench) -> list[Check]:
    """Of parsing and encoding."""
    return [
        Check("parse", lambda: _parse(bench)),
        Check("unlabelled", lambda: _unlabelled(bench)),
        Check("garbage", lambda: _garbage(bench)),
        Check("pickles", lambda: _pickles(bench)),
        Check("builds", lambda: _builds(bench)),
        Check("encodes-twice", lambda: _encodes_twice(bench)),
    ]


def learning_checks(bench: Bench) -> list[Check]:
    """Of losses, outputs, scores and state."""
    return [
        Check("loss-is-a-sum", lambda: _loss_is_a_sum(bench)),
        Check("padding", lambda: _padding(bench)),
        Check("outputs", lambda: _outputs(bench)),
        Check("score-of-the-truth", lambda: _score_of_the_truth(bench)),
        Check("state", lambda: _state(bench)),
    ]


# ---- rows --------------------------------------------------------------------------------------------


def _parse(bench: Bench) -> Iterator[Finding]:
    try:
        bench.examples  # noqa: B018 - made here, kept for the others
    except RowError as error:
        yield Finding(
            problem="a good row is refused",
            given=str(error),
            expected="an example of each of the rows, which have every column that the task reads",
            fix="correct parse, or give rows that the task takes with rows=",
        )


def _unlabelled(bench: Bench) -> Iterator[Finding]:
    targets = {column.name for column in bench.kind.columns if column.target}
    if not targets:
        raise SkipCheck("no column of the task holds an answer")
    for row in bench.rows:
        values = {name: value for name, value in row.values.items() if name not in targets}
        try:
            bench.new_task().parse(Row(values, row.origin), labelled=False)
        except RowError as error:
            yield Finding(
                problem="a row without an answer is refused where it is to be answered",
                given=f"parse({list(values)}, labelled=False): {error}",
                expected="an example: when predicting, target columns are missing",
                fix="ask for target columns only where labelled is True",
            )
            return


def _garbage(bench: Bench) -> Iterator[Finding]:
    if not bench.rows:
        raise SkipCheck("there are no rows to break")
    told: set[tuple[str, str]] = set()
    survivors: list[tuple[str, Any]] = []
    for labelled in (True, False):
        for words, values in broken_rows(bench.rows[0].values, bench.kind.columns):
            task = bench.new_task()
            try:
                example = task.parse(Row(values, Origin("row", 1)), labelled=labelled)
            except RowError:
                continue
            except Exception as error:
                place = (words.partition(" ")[0], type(error).__name__)
                if place not in told and len(told) < _SHOWN:
                    told.add(place)
                    yield _not_a_row_error("parse", words, labelled, error)
            else:
                if labelled or not bench.kind.generates:  # an engine reads what is to be answered by writing
                    survivors.append((words, example))
    yield from _encode_survivors(bench, survivors)


def _encode_survivors(bench: Bench, survivors: Sequence[tuple[str, Any]]) -> Iterator[Finding]:
    """What parse has let pass must be numbers, or be refused as a row of data is."""
    try:
        task = bench.built[0]
    except Exception:
        return  # told by `builds`
    told = 0
    for words, example in survivors:
        try:
            task.check([example], "validation")
            task.encode_all([example])
        except DataError:
            continue
        except Exception as error:
            told += 1
            if told <= _SHOWN:
                yield Finding(
                    problem="a bad row passes parse and fails later",
                    given=f"{words}: {one_line(error)}",
                    expected="RowError from parse, or DataError with its problems from check or encode",
                    fix="look at the value in parse, and raise RowError with what is wrong with it",
                )


def _not_a_row_error(method: str, words: str, labelled: bool, error: Exception) -> Finding:
    return Finding(
        problem=f"{method} fails on a bad row, which ends the job without telling where the row is",
        given=f"{words} (labelled={labelled}): {one_line(error)}",
        expected="an example, or RowError with what is wrong: rows that cannot be used are told by file and line",
        fix="look at the value before it is used: tunesmith.tasks.cells has text_cell and scalar_text for that",
    )


def _pickles(bench: Bench) -> Iterator[Finding]:
    try:
        fitted = bench.new_task()
        fitted.fit(bench.examples)
        things: list[tuple[str, Any]] = [("the class", bench.kind), ("the task after fit", fitted)]
        things.append(("an example", bench.examples[0]))
    except Exception as error:
        raise SkipCheck(f"the task cannot be set up, see `builds`: {one_line(error)}") from error
    with suppress(Exception):  # told by `builds`
        things.append(("an encoded row", bench.items[0]))
    for words, thing in things:
        try:
            pickle.loads(pickle.dumps(thing))
        except Exception as error:
            yield Finding(
                problem=f"{words} cannot be sent to another process",
                given=one_line(error),
                expected="something that pickle can write and read: rows are encoded in several processes",
                fix="define classes at the top of a module; keep functions, locks and open files out of the attributes",
            )


def _builds(bench: Bench) -> Iterator[Finding]:
    _, model, _ = bench.built
    if not isinstance(model, torch.nn.Module):
        yield Finding(
            problem="build gives no model",
            given=type(model).__name__,
            expected="a torch.nn.Module",
            fix="return what tunesmith.models.load_weights gives",
        )
    elif not bench.items:
        yield Finding(
            problem="none of the rows is left",
            given=f"encode gave no item for any of {len(bench.examples)} examples",
            expected="at least one item for a good row",
            fix="correct encode, or give shorter rows with rows=",
        )


def _encodes_twice(bench: Bench) -> Iterator[Finding]:
    task, _, _ = bench.prepared()
    first, second = task.encode_all(bench.examples), task.encode_all(bench.examples)
    if not same(first, second):
        yield Finding(
            problem="a row is not encoded the same each time",
            given="two results of encode_all for the same examples that differ",
            expected="the same numbers: a job that is resumed encodes its rows again",
            fix="leave everything random out of encode; changes of training rows belong into augmentations",
        )


# ---- loss and outputs --------------------------------------------------------------------------------


def _loss(task: Task[Any, Any], model: torch.nn.Module, items: Sequence[Encoded]) -> float:
    with torch.no_grad():
        return float(task.loss(model, task.collate(items)))


def _uncoupled(task: Task[Any, Any]) -> None:
    if isinstance(task, CoupledTask) and task.couples:
        raise SkipCheck("its loss is of all rows of a step together (CoupledTask), and no sum of those of each")


def _close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _loss_is_a_sum(bench: Bench) -> Iterator[Finding]:
    task, model, items = bench.prepared()
    _uncoupled(task)
    alone, twice = _loss(task, model, items[:1]), _loss(task, model, [items[0], items[0]])
    if not _close(twice, 2 * alone):
        yield Finding(
            problem="the loss is no sum over the targets",
            given=f"{alone:.6g} for a row, {twice:.6g} for the same row twice",
            expected=f"{2 * alone:.6g}: the loop divides by the targets of a step, in however many parts it came",
            fix="return the sum of the losses, not their mean",
        )


def _padding(bench: Bench) -> Iterator[Finding]:
    task, model, items = bench.prepared()
    _uncoupled(task)
    if next(_loss_is_a_sum(bench), None) is not None:
        raise SkipCheck("the loss is no sum, see `loss-is-a-sum`")
    if len({item.length for item in items}) == 1:
        raise SkipCheck("all rows have the same length, so that nothing is padded")
    together, alone = _loss(task, model, items), sum(_loss(task, model, [item]) for item in items)
    if not _close(together, alone):
        yield Finding(
            problem="padding changes the loss",
            given=f"{together:.7g} for {len(items)} rows together, {alone:.7g} one by one",
            expected=f"the same to {_TOLERANCE:g}",
            fix="give the model an attention mask, and padded labels the value that the loss leaves out",
        )


def _outputs(bench: Bench) -> Iterator[Finding]:
    task, model, items = bench.prepared()
    outputs, batch = outputs_of(task, model, items), task.collate(items)
    targets = sum(item.targets for item in items)
    if len(outputs) != len(items):
        yield Finding(
            problem="outputs are not one a row",
            given=f"{len(outputs)} outputs for {len(items)} rows of a batch",
            expected=f"{len(items)} outputs, in the order of the rows",
            fix="correct outputs",
        )
    if batch.targets != targets:
        yield Finding(
            problem="the batch counts other targets than its rows",
            given=f"Batch.targets {batch.targets}",
            expected=f"{targets}, the sum of the items' targets: the loss is divided by it",
            fix="correct targets in encode or in collate",
        )
    if not same(outputs, outputs_of(task, model, items)):
        yield Finding(
            problem="the model does not say the same twice",
            given="two outputs for the same rows that differ",
            expected="the same outputs: the model is in evaluation mode",
            fix="leave everything random out of collate and outputs",
        )


def _score_of_the_truth(bench: Bench) -> Iterator[Finding]:
    """A model that knows the rows by heart must score better than one that knows nothing, and perfectly in shares."""
    task, model, items = bench.prepared()
    aligned = [bench.examples[item.row] for item in items]
    before = dict(task.score(outputs_of(task, model, items), aligned))
    missing = [metric.name for metric in task.metrics if metric.name not in before]
    if missing:
        yield Finding(
            problem="score leaves out a metric that the task names",
            given=f"score gave {', '.join(before) or 'nothing'}",
            expected=", ".join(metric.name for metric in task.metrics),
            fix="add it to score, or take it out of metrics",
        )
        return
    first, loss, after = _learned_by_heart(task, model, items, aligned)
    if loss > first / 2:
        raise SkipCheck(
            f"a tiny model does not learn these rows (loss of a target {first:.2g}, {loss:.2g} after {_STEPS} steps),"
            " so that nobody here knows what the truth looks like as outputs"
        )
    for metric in task.metrics:
        # Not every figure is best for the truth: how well probabilities are calibrated, say.
        if metric is not task.metrics[0] and metric.name not in _SHARES | {"loss"}:
            continue
        yield from _judge(metric, before[metric.name], after[metric.name], known=loss <= _LEARNED)


def _learned_by_heart(
    task: Task[Any, Any], model: torch.nn.Module, items: Sequence[Encoded], aligned: Sequence[Any]
) -> tuple[float, float, dict[str, float]]:
    """The loss of a target before and after training on these rows, and the scores. The model stays as it was."""
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    batch = task.collate(items)
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=1e-2)
    losses: list[float] = []
    try:
        for step in range(_STEPS):
            total = task.loss(model, batch) / max(1, batch.targets)
            losses.append(float(total.detach()))
            # Whole texts are not learned by heart in a moment; that they are known better than before will do.
            if losses[-1] < (losses[0] / 3 if task.generates else _LEARNED / 5):
                break
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 * (1 - step / _STEPS)
            optimizer.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return losses[0], losses[-1], dict(task.score(outputs_of(task, model, items), aligned))
    finally:
        model.zero_grad()
        model.load_state_dict(saved)


def _judge(metric: Metric, before: float, after: float, *, known: bool) -> Iterator[Finding]:
    worse = after < before - 1e-9 if metric.greater_is_better else after > before + 1e-9
    if worse:
        direction = "greater" if metric.greater_is_better else "smaller"
        yield Finding(
            problem=f"{metric.name} is worse for a model that has learned the rows",
            given=f"{after:.4g}, and {before:.4g} for one that has learned nothing",
            expected=f"the better score for the truth; the metric says that {direction} is better",
            fix="correct score, or greater_is_better of the metric",
        )
    elif known and metric.name in _SHARES and not math.isclose(after, 1.0, abs_tol=1e-6):
        yield Finding(
            problem=f"{metric.name} of the truth is not perfect",
            given=f"{after:.4g} for a model that knows the rows by heart",
            expected="1",
            fix="correct score: does it pair outputs and examples of the same row?",
        )


# ---- what is saved -----------------------------------------------------------------------------------


def _state(bench: Bench) -> Iterator[Finding]:
    task, model, items = bench.prepared()
    try:
        text = json.dumps(task.state(), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield Finding(
            problem="state is no JSON",
            given=one_line(error),
            expected="texts, finite numbers, booleans, None, lists and mappings with texts as keys",
            fix="turn numpy and torch values into Python's own, sets and tuples into lists",
        )
        return
    registry = get_registry()
    with tempfile.TemporaryDirectory(prefix="tunesmith-check-") as folder:
        save_model(model, Path(folder), getattr(task, "tokenizer", None))
        save_task(task, Path(folder), registry=registry)
        opened, restored = open_task(find_model_by_name(folder, registry), registry)
    if json.dumps(opened.state(), allow_nan=False) != text:
        yield Finding(
            problem="restore does not bring back the state",
            given=f"state() of the restored task: {json.dumps(opened.state())[:200]}",
            expected=text[:200],
            fix="set in restore everything that state has",
        )
    expected = outputs_of(task, model, items)
    found = outputs_of(opened, restored.eval(), opened.encode_all(bench.examples))
    if not same(expected, found):
        yield Finding(
            problem="the restored task does not answer as the trained one",
            given="outputs for the same rows that differ",
            expected="the same outputs bit for bit: what is trained is what is served",
            fix="keep in state everything that encode, collate and outputs depend on, and set it in restore",
        )
