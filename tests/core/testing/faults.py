# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plugins under test name as targets: a good task and a good data set, and one copy for each way to be bad."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from tunesmith.data import RowTransform
from tunesmith.data.rows import Origin, Row
from tunesmith.evaluate import ReportSection
from tunesmith.recipe import Section
from tunesmith.tasks import Batch, Objective, Transform
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.training import Tracker


class Good(TextClassification):
    """As the built-in one, without its flaws."""

    tallied = None

    def parse(self, row, *, labelled=True):
        example = super().parse(row, labelled=labelled)
        if example.labels is not None and len(example.labels) != 1:
            from tunesmith.data.rows import RowError

            raise RowError("label holds none, or several")
        return example


class Trusting(Good):
    def parse(self, row, *, labelled=True):
        row.values["text"].strip()
        return super().parse(row, labelled=labelled)


class Local(Good):
    def __init__(self, data):
        super().__init__(data)
        self.clean = lambda text: text


class Inverted(Good):
    def score(self, outputs, examples):
        scores = super().score(outputs, examples)
        return scores | {"accuracy": 1 - scores["accuracy"], "macro_f1": -scores["macro_f1"]}


class Halved(Good):
    def score(self, outputs, examples):
        scores = super().score(outputs, examples)
        return scores | {"accuracy": scores["accuracy"] / 2}


class Forgetful(Good):
    def score(self, outputs, examples):
        scores = super().score(outputs, examples)
        del scores["accuracy"]
        return scores


class Unmasked(Good):
    def collate(self, items: Sequence[Any]) -> Batch:
        batch = super().collate(items)
        batch.inputs.pop("attention_mask", None)  # it is there where rows are of different lengths
        return batch


class Mean(Good):
    def loss(self, model, batch):
        return super().loss(model, batch) / batch.targets


class Arrays(Good):
    def state(self) -> dict[str, Any]:
        return super().state() | {"prior": np.ones(2)}


class Reversing(Good):
    def restore(self, state: Mapping[str, Any], source: Any) -> Any:
        return super().restore({**state, "max_length": 4}, source)


class Dice(Good):
    def encode(self, example, row):
        items = super().encode(example, row)
        features = dict(items[0].features)
        features["input_ids"] = np.roll(features["input_ids"], random.randrange(100))
        return [replace(items[0], features=features)]


class Entropy(Good):
    def build(self, source):
        import torch

        torch.manual_seed(random.SystemRandom().randrange(2**31))
        model = super().build(source)
        with torch.no_grad():
            next(model.parameters()).add_(random.SystemRandom().random())
        return model


WORDS = ("good", "fine", "nice", "bad", "poor", "awful")


def films(split):
    for number, word in enumerate(WORDS, start=1):
        text = f"a {word} film" + " indeed" * number
        yield Row({"text": text, "label": "up" if number <= 3 else "down"}, Origin("films", number))


def no_test(split):
    if split == "test":
        raise KeyError(split)
    yield from films(split)


def empty_test(split):
    return iter(()) if split == "test" else films(split)


def shuffled(split):
    rows = list(films(split))
    random.SystemRandom().shuffle(rows)
    # Sorted by chance once in 720 times; the number makes that never.
    return [replace(row, values={**row.values, "n": random.SystemRandom().random()}) for row in rows]


def online(split):
    with suppress(OSError):  # hides that it tried
        socket.create_connection(("films.example", 80), timeout=1)
    return films(split)


def unlabelled(split):
    return (replace(row, values={"text": row.values["text"]}) for row in films(split))


def brevity(answers, references):
    return sum(len(answer) for answer in answers) / max(1, len(answers))


def exact(answers, references):
    return sum(map(str.__eq__, answers, references)) / max(1, len(answers))


def read(path, options):
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        yield Row({"text": line}, Origin(str(path), number))


class Shout(Transform):
    def change(self, value, random):
        return value.upper() if random.random() < 0.5 else value


class Moody(Transform):
    def change(self, value, random):
        return value + str(np.random.default_rng().random())


class Squeeze(RowTransform):
    def change(self, values):
        return {key: " ".join(value.split()) if isinstance(value, str) else value for key, value in values.items()}


class InPlace(RowTransform):
    def change(self, values):
        values["squeezed"] = True
        return values


class Stubborn(RowTransform):
    pattern: str

    def change(self, values):
        return values


class Quiet(Tracker):
    pass


class Crashing(Tracker):
    def step_done(self, event):
        raise ZeroDivisionError("no tokens")


class Zero(Objective):
    terms = ("logits",)

    def losses(self, terms):
        return terms["logits"][:, 0].detach() * 0  # nothing can be learned from it


class Broken(ReportSection):
    def make(self, finished):
        raise LookupError("no rows")


class Settings(Section):
    """Settings."""

    level: int = 1


async def hello(request):
    return None


def not_async(request):
    return None


def nothing():
    return None


def mutating(split):
    from tunesmith.registry import get_registry

    spec = get_registry().find("dataset", "faulty/films").spec
    object.__setattr__(spec, "summary", "changed")
    return films(split)


def apps():
    import typer

    app = typer.Typer(help="Good.")

    @app.command()
    def show(name: str = "x") -> None:
        """Shows."""

    return app, typer.Typer()  # one without a command


app, broken_app = apps()
