# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plan on the screen: colours on a terminal, marks elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tunesmith_cli.screen import Screen, is_terminal
from tunesmith_cli.words import count, duration, size

if TYPE_CHECKING:
    from tunesmith.planning import Plan
    from tunesmith.planning.facts import Repeats, Sample
    from tunesmith.planning.projection import Projection

__all__ = ["plan_lines", "show_plan"]

Line = list[tuple[str, str]]
"""Pieces of a line and their styles."""

STYLES = {
    "head": "bold",
    "dim": "dim",
    "bad": "bold red",
    "good": "green",
    "warn": "yellow",
    "trained": "black on green",
}
OPEN, CLOSE = "⟦", "⟧"
BAR = 40
LONGEST = 600
"""Characters of a sample that are shown."""


def show_plan(screen: Screen, plan: Plan) -> None:
    """Print it."""
    if not is_terminal(screen.out):
        for line in plan_lines(plan):
            screen.result("".join(_marked(text, style) for text, style in line).rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=screen.out, highlight=False)
    for line in plan_lines(plan):
        console.print(Text.assemble(*((text, STYLES.get(style, "")) for text, style in line)), soft_wrap=True)


def _marked(text: str, style: str) -> str:
    return f"{OPEN}{text}{CLOSE}" if style == "trained" else text


def plan_lines(plan: Plan) -> Iterator[Line]:
    """Everything, section by section."""
    yield from _rows(plan)
    if plan.lengths:
        yield from _section("lengths of the training rows, in tokens")
        yield from _histogram(plan)
    if plan.samples:
        marks = "marked tokens carry a loss" if any(p.trained for s in plan.samples for p in s.pieces) else ""
        yield from _section("what the model sees", marks)
        for sample in plan.samples:
            yield from _sample(sample)
    yield from _section("the job")
    yield from _fields(_job(plan))
    if plan.projection is not None:
        yield from _projection(plan.projection)
    else:
        yield from _section("memory")
        yield from _memory(plan)
        yield from _section("disk and time")
        yield from _fields(_disk_and_time(plan))
    yield []
    for warning in (*plan.warnings, *(plan.projection.warnings if plan.projection else ())):
        yield [("warning: ", "warn"), (warning, "")]
    yield _verdict(plan)


def _section(title: str, remark: str = "") -> Iterator[Line]:
    yield []
    yield [(title, "head"), (f"  ({remark})" if remark else "", "dim")]


def _fields(pairs: dict[str, str]) -> Iterator[Line]:
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        yield [(f"  {name:<{width}}  ", "dim"), (value, "")]


def _rows(plan: Plan) -> Iterator[Line]:
    yield [("rows", "head")]
    unusable = {split: f", of which {count(lost)} come to nothing" for split, lost in plan.unusable.items()}
    yield from _fields({s: f"{count(n)}{unusable.get(s, '')}" for s, n in plan.rows.items() if n})
    told = {finding.what for finding in plan.findings}
    for note in plan.notes:
        if note not in told:
            yield [("  ", ""), (note, "")]
    for finding in plan.findings:
        yield [("  ", ""), (finding.what, "")]
        yield [("      " + _places(finding.first, finding.count), "dim")]
    yield from _repeats(plan.repeats)


def _places(first: Sequence[str], total: int) -> str:
    rest = total - len(first)
    return ", ".join(first) + (f" … and {count(rest)} more" if rest else "")


def _repeats(repeats: Repeats) -> Iterator[Line]:
    for split, number in repeats.rows.items():
        verb = "row repeats" if number == 1 else "rows repeat"
        yield [(f"  {count(number)} {split} {verb} another, answer included", "")]
    for split, number in repeats.shared.items():
        verb = "row is" if number == 1 else "rows are"
        yield [(f"  {count(number)} {split} {verb} also in the training rows, answer included", "")]
    if repeats.first:
        pairs = "; ".join(f"{row} = {earlier}" for row, earlier in repeats.first)
        total = sum(repeats.rows.values()) + sum(repeats.shared.values())
        yield [("      " + _places([pairs], total - len(repeats.first) + 1), "dim")]


def _histogram(plan: Plan) -> Iterator[Line]:
    most = max(bar.count for bar in plan.lengths)
    names = [f"{bar.low:,}–{bar.high:,}" if bar.low != bar.high else f"{bar.low:,}" for bar in plan.lengths]
    width, wide = max(map(len, names)), len(count(most))
    for bar, name in zip(plan.lengths, names, strict=True):
        full = round(BAR * bar.count / most)
        drawn = "█" * full if full or not bar.count else "▏"
        yield [(f"  {name:>{width}}  ", "dim"), (f"{count(bar.count):>{wide}} ", ""), (drawn, "good")]


def _sample(sample: Sample) -> Iterator[Line]:
    yield [(f"  {sample.origin}", "dim"), (f"  →  {sample.answer}" if sample.answer is not None else "", "")]
    line: Line = [("    ", "")]
    room = LONGEST
    for piece in sample.pieces:
        text = piece.text if len(piece.text) <= room else piece.text[:room] + " …"
        room -= len(text)
        parts = text.split("\n")
        for at, part in enumerate(parts):
            if at:
                yield line
                line = [("    ", "")]
            if part:
                line.append((part, "trained" if piece.trained else ""))
        if room <= 0:
            break
    yield line


def _job(plan: Plan) -> dict[str, str]:
    steps = plan.steps
    fewest, most = steps.rows
    rows = f"{count(fewest)}" if fewest == most else f"{count(fewest)} to {count(most)}"
    fields = {name: fact for name, fact in plan.facts.items() if name != "rows"}
    epochs = "1 epoch" if steps.epochs == 1 else f"{steps.epochs:g} epochs"
    parts = f", computed in {steps.parts} parts" if steps.parts > 1 else ""
    fields["steps"] = f"{count(steps.total)} in {epochs}, {rows} rows a step{parts}"
    fields["in all"] = f"{count(steps.tokens)} tokens; {steps.padding:.1%} of what is computed is padding"
    if plan.stop is not None:
        share = plan.stop.trained / plan.stop.rows if plan.stop.rows else 0.0
        names = " ".join(plan.stop.tokens)
        fields["stop token"] = f"{names}: learned at the end of {share:.0%} of {count(plan.stop.rows)} rows"
    return fields


def _memory(plan: Plan) -> Iterator[Line]:
    if plan.outlook is None:
        yield [("  not estimated: the strategy is a plugin's", "")]
        return
    memory, room = plan.outlook.memory, plan.outlook.room
    fields = {
        "weights": size(memory.weights),
        "gradients": size(memory.gradients),
        "optimizer": size(memory.optimizer),
        "activations": f"{size(memory.activations + memory.working)}, of the costliest batch, logits included",
        "everything else": f"{size(max(0, memory.process - memory.weights + memory.slack))}: libraries, rows, what the "
        "allocator cannot use",
        "estimated peak": size(memory.peak),
    }
    if plan.measurement is not None and plan.measurement.peak is not None:
        fields["measured peak"] = f"{size(plan.measurement.peak)}, while taking real steps"
    if room is not None:
        fields["room"] = f"{size(room.total)}: {room.limit}"
    yield from _fields(fields)
    for remedy in plan.outlook.remedies:
        yield [("  needs less: ", "warn"), (f"{remedy.change}  (about {size(remedy.peak)}; {remedy.effect})", "")]


def _disk_and_time(plan: Plan) -> dict[str, str]:
    disk = plan.disk
    fields = {
        "disk": f"{size(disk.needed)} at most: {disk.checkpoints} checkpoints of {size(disk.checkpoint)}, a model of "
        f"{size(disk.model)}; {size(disk.free)} free",
    }
    if plan.time is None:
        fields["time"] = "not measured"
        return fields
    fields["time"] = (
        f"about {duration(plan.time.total)}: training {duration(plan.time.training)}, "
        f"evaluation {duration(plan.time.evaluation)}"
    )
    assert plan.measurement is not None
    fields["measured"] = "; ".join(
        f"{step.rows} × {step.length} in {step.seconds:.2f} s" for step in plan.measurement.steps
    )
    return fields


def _projection(projection: Projection) -> Iterator[Line]:
    yield from _section(f"with the strategy {projection.strategy}")
    yield from _fields(dict(projection.facts))
    for table in projection.tables:
        yield from _section(table.title)
        cells = [table.header, *table.rows]
        widths = [max(len(row[at]) for row in cells) for at in range(len(table.header))]
        for place, row in enumerate(cells):
            first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            yield [("  ", ""), ("  ".join([row[0].ljust(len(first)), *rest]), "" if place else "dim")]


def _verdict(plan: Plan) -> Line:
    if plan.projection is not None:
        known = plan.projection.fits
        if known is None:
            return [("whether it fits is not known", "warn")]
        return [("it fits", "good") if known else ("it does not fit: memory", "bad")]
    if plan.fits:
        return [("it fits", "good")]
    memory = plan.outlook is not None and plan.outlook.room is not None and (plan.peak or 0) > plan.outlook.room.total
    lacking = [name for name, short in (("memory", memory), ("disk", not plan.disk.fits)) if short]
    return [(f"it does not fit: {' and '.join(lacking)}", "bad")]
