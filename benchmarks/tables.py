# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Small tables, ours beside scikit-learn: the same five folds, each contender at its defaults.

    python benchmarks/tables.py [--sets iris,wine,penguins,mass] [--folds 5] [--max-steps 2] [--out FILE.json]

Ours is a whole job of `tunesmith train` without validation rows, so nothing is chosen by what it is scored on. The
peers are a linear model (numbers standardized and filled with their mean, categories one-hot; logistic or ridge) and
histogram gradient boosting, which reads missing cells itself.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import machine, save, table

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
SEED = 0
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Set:
    """A table: its file, the column to predict, and names where the file has none."""

    file: str
    answer: str
    names: tuple[str, ...] = ()
    number: bool = False

    def rows(self, data: Path) -> Rows:
        with (data / self.file).open(newline="") as file:
            found = list(csv.DictReader(file, fieldnames=self.names or None))
        return [row for row in found if row[self.answer] != "NA"]


SETS = {
    "iris": Set("iris_wine/iris.csv", "kind", ("sepal l", "sepal w", "petal l", "petal w", "kind")),
    "wine": Set("iris_wine/wine.csv", "cultivar", (*(f"measure {n}" for n in range(1, 14)), "cultivar")),
    "penguins": Set("penguins/penguins.csv", "species"),
    "mass": Set("penguins/penguins.csv", "body_mass_g", number=True),
}


def folds(rows: Rows, count: int) -> Iterator[tuple[Rows, Rows]]:
    """Training and test rows, each row once in a test part."""
    order = np.random.default_rng(SEED).permutation(len(rows))
    for fold in range(count):
        held = set(order[fold::count].tolist())
        yield [row for n, row in enumerate(rows) if n not in held], [row for n, row in enumerate(rows) if n in held]


def ours(one: Set, train: Rows, test: Rows, max_steps: int | None) -> dict[str, float]:
    import tunesmith

    with tempfile.TemporaryDirectory() as place:
        files = {name: f"{place}/{name}.csv" for name in ("train", "test")}
        for name, rows in (("train", train), ("test", test)):
            with open(files[name], "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)
        recipe = {
            "task": "tabular-regression" if one.number else "tabular-classification",
            "model": "scratch:tabular-mlp",
            "data": {**files, "columns": {"target" if one.number else "label": one.answer}},
            "train": {"max_steps": max_steps},
            "evaluate": {"before": False},
            "output": f"{place}/run",
        }
        manifest = tunesmith.train(tunesmith.parse_recipe(recipe)).manifest
    figures = manifest["metrics"]["test"]
    return {name: figures[name] for name in (("rmse", "r2") if one.number else ("accuracy", "loss"))}


def peer(one: Set, train: Rows, test: Rows, kind: str) -> dict[str, float]:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    names = [name for name in train[0] if name != one.answer]
    numbers = [place for place, name in enumerate(names) if all(_is_number(row[name]) for row in train)]
    categories = [place for place in range(len(names)) if place not in numbers]
    if kind == "linear":
        fill: Any = make_pipeline(SimpleImputer(), StandardScaler())
        code: Any = OneHotEncoder(handle_unknown="ignore")
        last: Any = Ridge() if one.number else LogisticRegression(max_iter=5000)
    else:
        fill, code = "passthrough", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        boosting = HistGradientBoostingRegressor if one.number else HistGradientBoostingClassifier
        last = boosting(random_state=SEED)
    model = make_pipeline(ColumnTransformer([("numbers", fill, numbers), ("names", code, categories)]), last)

    def cells(rows: Rows) -> np.ndarray[Any, Any]:
        table = [[_number(row[name]) if n in numbers else row[name] for n, name in enumerate(names)] for row in rows]
        return np.array(table, dtype=object)

    answers: list[list[Any]] = [
        [float(row[one.answer]) if one.number else row[one.answer] for row in rows] for rows in (train, test)
    ]
    model.fit(cells(train), answers[0])
    found = model.predict(cells(test))
    if one.number:
        return {"rmse": root_mean_squared_error(answers[1], found), "r2": r2_score(answers[1], found)}
    likely = model.predict_proba(cells(test))
    loss = log_loss(answers[1], likely, labels=model.classes_)
    return {"accuracy": accuracy_score(answers[1], found), "loss": loss}


def _number(cell: str) -> float:
    return float("nan") if cell == "NA" else float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)

    result: dict[str, Any] = {"machine": machine(), "sets": {}}
    for name in options.sets.split(","):
        one = SETS[name]
        figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for train, test in folds(one.rows(options.data), options.folds):
            contenders = {
                "tunesmith": ours(one, train, test, options.max_steps),
                "linear": peer(one, train, test, "linear"),
                "boosting": peer(one, train, test, "boosting"),
            }
            for contender, found in contenders.items():
                for figure, value in found.items():
                    figures[contender][figure].append(float(value))
        means = {who: {key: statistics.mean(found) for key, found in mine.items()} for who, mine in figures.items()}
        result["sets"][name] = means
        print(f"\n{name}, means over {options.folds} folds\n")
        lines = [(who, *(f"{value:,.4g}" for value in mine.values())) for who, mine in means.items()]
        print(table(("", *next(iter(means.values()))), lines), flush=True)
    if options.out:
        save(options.out, result)


if __name__ == "__main__":
    main()
