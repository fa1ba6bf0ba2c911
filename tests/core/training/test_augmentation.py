# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows that change in every epoch: the same ones wherever, whenever and in whatever order they are computed."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import Field

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import PluginError, RecipeError, RunError, StoppedError
from tunesmith.plugin import AugmentationSpec, StepDone, hookimpl
from tunesmith.registry import Registry, get_registry
from tunesmith.tasks import Transform
from tunesmith.tasks.encoding_key import encoding_key
from tunesmith.testing import tiny_bert
from tunesmith.training.batches import collated_parts, parts_of_step
from tunesmith.training.checkpoint import Progress
from tunesmith.training.loop import Job, take_step
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.replay import replay
from tunesmith.training.strategy import Single

ROWS = 12
IMAGES = ["flip", {"name": "shift", "pixels": 1}, "rotate", "brightness", "contrast", "erase"]
TEXTS = ["drop-words", {"name": "swap-words", "share": 0.4}, {"name": "typos", "share": 0.2}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("augmented")
    random = np.random.default_rng(0)
    for n in range(ROWS):
        file = folder / "images" / "ab"[n % 2] / f"{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(file)
    rows = [f"{'apple pear plum fig'[: 5 + 3 * (n % 4)]} number {n},{'ab'[n % 2]}" for n in range(ROWS)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    tiny_bert(folder / "bert")
    return folder


def recipe(place: Path, kind: str, augment: Any, *overrides: str, out: str = "never") -> Any:
    images = kind == "image"
    return tunesmith.parse_recipe(
        {
            "task": f"{kind}-classification",
            "model": "scratch:mlp" if images else str(place / "bert"),
            "data": {"train": str(place / ("images" if images else "rows.csv")), "augment": augment},
            "train": {"precision": "fp32", "device": "cpu", "rows_per_batch": 4, "save_every": 2},
            "output": str(place / out),
        },
        overrides=overrides,
    )


def prepared(place: Path, kind: str, augment: Any, *overrides: str) -> Any:
    wanted = recipe(place, kind, augment, *overrides)
    with own_random_state(0, torch.device("cpu")):
        return prepare(wanted, Single(wanted), get_registry())


def shown(item: Any) -> tuple[bytes, ...]:
    """Everything of an item, to compare."""
    return (*(array.tobytes() for _, array in sorted(item.features.items())), bytes([item.targets, item.row]))


@pytest.fixture(params=["image", "text"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def transforms(kind: str) -> list[Any]:
    return IMAGES if kind == "image" else TEXTS


# ---- which rows a step sees ------------------------------------------------------------------------------------------


def test_a_row_follows_from_seed_epoch_and_row_alone(place: Path, kind: str) -> None:
    work, again = prepared(place, kind, transforms(kind)), prepared(place, kind, transforms(kind))
    other = prepared(place, kind, transforms(kind), "train.seed=1")
    first = [shown(item) for item in work.seen_in(0)]
    assert [shown(again.seen_in(0)[row]) for row in reversed(range(ROWS))] == first[::-1]
    assert [shown(item) for item in work.seen_in(0)[3:5]] == first[3:5]
    for rows in (work.seen_in(1), other.seen_in(0)):
        assert sum(one != shown(item) for one, item in zip(first, rows, strict=True)) > ROWS / 2


def test_labels_and_everything_else_stay(place: Path, kind: str) -> None:
    work = prepared(place, kind, transforms(kind))
    plain = work.items["train"]
    for one, item in zip(plain, work.seen_in(3), strict=True):
        assert item.features.keys() == one.features.keys()
        assert {name: array.dtype for name, array in item.features.items()} == {
            name: array.dtype for name, array in one.features.items()
        }
        assert np.array_equal(item.features["label"], one.features["label"])
        assert (item.targets, item.row) == (one.targets, one.row)
        if kind == "image":
            assert item.features["pixels"].shape == one.features["pixels"].shape
        else:
            assert item.length == len(item.features["input_ids"]) >= 3


def test_transforms_do_not_draw_each_others_numbers(place: Path) -> None:
    alone = prepared(place, "image", ["rotate"]).seen_in(0)
    behind = prepared(place, "image", [{"name": "flip", "probability": 0.0}, "rotate"]).seen_in(0)
    before = prepared(place, "image", ["rotate", {"name": "flip", "probability": 0.0}]).seen_in(0)
    assert [shown(item) for item in before] == [shown(item) for item in alone]
    assert all(shown(one) != shown(two) for one, two in zip(alone, behind, strict=True)), "another place, other numbers"


def test_without_a_chance_the_rows_are_the_plain_ones(place: Path, kind: str) -> None:
    names = [one if isinstance(one, str) else one["name"] for one in transforms(kind)]
    work = prepared(place, kind, [{"name": name, "probability": 0} for name in names])
    plain = prepared(place, kind, [])
    assert [shown(item) for item in work.seen_in(0)] == [shown(item) for item in plain.seen_in(0)]
    assert plain.augmentation is None
    assert plain.seen_in(0) is plain.items["train"]


def test_rows_that_are_held_out_and_the_plain_ones_are_never_changed(place: Path, kind: str) -> None:
    split = ("data.split.validation=0.25", "data.split.test=0.25")
    work, plain = (prepared(place, kind, augment, *split) for augment in (transforms(kind), []))
    for _ in range(2):
        for one, other in zip(work.seen_in(0), plain.items["train"], strict=True):
            assert one.row == other.row
        for name in ("train", "validation", "test"):
            assert len(work.items[name]) > 0
            assert [shown(item) for item in work.items[name]] == [shown(item) for item in plain.items[name]]


@pytest.mark.parametrize("parts", [2, 4])
def test_a_step_in_parts_sees_the_rows_of_the_whole_step(place: Path, kind: str, parts: int) -> None:
    whole = prepared(place, kind, transforms(kind))
    cut = prepared(place, kind, transforms(kind), f"train.accumulate={parts}")
    for step in (0, 4):
        one, several = parts_of_step(whole, step), parts_of_step(cut, step)
        assert len(one) == 1 < len(several) <= parts
        name = "pixel_values" if kind == "image" else "input_ids"
        rows = {row: values for part in several for row, values in zip(part.rows, part.inputs[name], strict=True)}
        for row, values in zip(one[0].rows, one[0].inputs[name], strict=True):
            assert torch.equal(values[: len(rows[row])], rows[row])
            assert kind == "image" or set(values[len(rows[row]) :].tolist()) <= {whole.task.tokenizer.pad_token_id}
        losses = []
        for work, batches in ((whole, one), (cut, several)):
            work.model.eval()  # dropout draws in the order of the parts
            losses.append(
                take_step(Job(work, make_optimizer(work.model, work.recipe.train), Progress()), batches, 0.0).loss
            )
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_an_epochs_rows_are_those_of_its_number_and_a_plan_tries_the_first(place: Path) -> None:
    work = prepared(place, "image", transforms("image"))
    batch = work.feed.batch(3)  # three steps an epoch
    by_step, by_epoch = parts_of_step(work, 3)[0], collated_parts(work, batch, 1)[0]
    assert torch.equal(by_step.inputs["pixel_values"], by_epoch.inputs["pixel_values"])
    first = collated_parts(work, batch)[0]
    assert not torch.equal(by_step.inputs["pixel_values"], first.inputs["pixel_values"])


# ---- whole jobs ------------------------------------------------------------------------------------------------------


def weights(run: Any) -> bytes:
    return (Path(run.path) / "model" / "model.safetensors").read_bytes()


def losses(run: Any) -> list[float]:
    return [record["loss"] for record in run.metrics() if record["kind"] == "step"]


def test_stopped_resumed_and_repeated_it_is_equal_bit_for_bit(place: Path, kind: str, tmp_path: Path) -> None:
    def wanted(out: str) -> Any:
        return recipe(place, kind, transforms(kind), f"output={tmp_path / out}", "data.split.validation=0.25")

    whole = tunesmith.train(wanted("whole"))
    plain = tunesmith.train(recipe(place, kind, [], f"output={tmp_path / 'plain'}", "data.split.validation=0.25"))
    assert losses(plain) != losses(whole)

    stop = threading.Event()

    def at_step_three(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            stop.set()

    with pytest.raises(StoppedError):
        tunesmith.train(wanted("parts"), observers=[at_step_three], stop=stop)
    parts = tunesmith.train(wanted("parts"), resume=tmp_path / "parts")  # in short form, and with nothing else changed
    assert (weights(parts), losses(parts)) == (weights(whole), losses(whole))
    assert parts.manifest["metrics"] == whole.manifest["metrics"]
    assert replay(whole).equal


def test_another_transform_is_another_recipe(place: Path, tmp_path: Path) -> None:
    wanted = recipe(place, "image", IMAGES, f"output={tmp_path / 'run'}")
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        tunesmith.train(wanted, stop=stop)
    changed = recipe(place, "image", [*IMAGES[:1], {"name": "shift", "pixels": 3}, *IMAGES[2:]])
    with pytest.raises(RunError, match=r"data\.augment\[1\]\.pixels: 1 in the run, 3 given"):
        tunesmith.train(changed, resume=tmp_path / "run")
    with pytest.raises(RunError, match=r"data\.augment: \["):
        tunesmith.train(recipe(place, "image", IMAGES[:2]), resume=tmp_path / "run")


def test_what_was_chosen_is_written_down_and_told(place: Path, tmp_path: Path) -> None:
    facts: list[Any] = []

    def started(event: Any) -> None:
        facts.append(getattr(event, "facts", {}))

    wanted = recipe(place, "text", ["drop-words"], f"output={tmp_path / 'run'}", "train.max_steps=1")
    run = tunesmith.train(wanted, observers=[started])
    written = run.recipe()
    assert [one.model_dump() for one in written.data.augment] == [
        {"name": "drop-words", "probability": 1.0, "share": 0.1}
    ]
    assert facts[0]["augmentation"] == (
        "drop-words (probability 1.0, share 0.1); training rows only, anew in every epoch"
    )
    assert "augment: [{name: drop-words, probability: 1.0, share: 0.1}]" in (run.path / "recipe.yaml").read_text()
    assert "name: drop-words" in run.report_file.read_text()


def test_fast_paths_that_take_rows_for_unchanging_are_left_out_and_this_is_told(place: Path) -> None:
    work = prepared(place, "text", TEXTS, "method=head")
    assert work.collate == work.task.collate
    assert work.facts["frozen layers"] == "run for every row of every step: no two epochs see the same"
    assert "kept in the cache" in prepared(place, "text", [], "method=head").facts["frozen layers"]
    assert "any of them" in prepared(place, "text", TEXTS).facts["vocabulary"]
    assert "vocabulary" not in prepared(place, "image", IMAGES).facts


def test_a_plan_shows_it_and_measures_with_it(place: Path) -> None:
    found = tunesmith.plan(recipe(place, "image", IMAGES))
    assert found.facts["augmentation"].startswith("flip (probability 0.5), shift (probability 1.0, pixels 1), rotate")
    assert found.measurement is not None


def test_encoded_rows_in_the_cache_serve_with_and_without(place: Path) -> None:
    keys = {encoding_key(prepared(place, "text", augment).task, "train", "rows") for augment in ([], TEXTS)}
    assert len(keys) == 1


# ---- long texts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("too_long", ["truncate", "skip", "error"])
def test_a_text_that_grew_too_long_is_cut_or_stays_plain_and_the_counts_stay(place: Path, too_long: str) -> None:
    plain = prepared(place, "text", [])
    longest = max(item.length for item in plain.items["train"])
    settings = (f"data.max_length={longest}", f"data.too_long={too_long}")
    work = prepared(place, "text", [{"name": "typos", "share": 0.9}], *settings)
    seen = [item for epoch in range(8) for item in work.seen_in(epoch)]
    assert max(item.length for item in seen) == longest
    assert work.task.notes == plain.task.notes
    is_plain = [shown(item) == shown(work.items["train"][item.row]) for item in seen]
    assert any(is_plain) == (too_long != "truncate")
    assert not all(is_plain)


# ---- what is wrong with a recipe -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "augment", "words"),
    [
        ("image", "flop", ["there is no transform 'flop'", "data.augment[0]: flop", "flip or shift or", "'flip'?"]),
        ("image", ["flip", {"name": "rotat"}], ["'rotat'", "data.augment[1]: rotat", "did you mean 'rotate'?"]),
        ("image", ["blurr"], ["see `tunesmith augmentations list`"]),
        (
            "image",
            ["typos"],
            [
                "the transform 'typos' changes text rows, and task 'image-classification' has image rows",
                "expected: flip or shift or rotate or brightness or contrast or erase\n",
                "leave typos out",
            ],
        ),
        ("text", ["tunesmith/flip"], ["changes image rows", "expected: drop-words or swap-words or typos\n"]),
        (
            "tabular",
            ["flip"],
            ["the rows of task 'tabular-classification' cannot be changed", "leave data.augment out"],
        ),
        (
            "image",
            [{"name": "shift", "pixel": 2}],
            [
                "data.augment: 1 problem",
                "data.augment[0].pixel: unknown key; did you mean 'pixels'?",
                "shift takes probability, pixels",
            ],
        ),
        (
            "image",
            [{"name": "shift", "pixels": 0}, "flip", {"name": "rotate", "degrees": "ten", "probability": 2}],
            [
                "data.augment: 3 problems",
                "data.augment[0].pixels: expected a whole number of at least 1, given 0",
                "data.augment[2].degrees: expected a number greater than 0 and of at most 180, given 'ten'",
                "data.augment[2].probability: expected a number of at least 0 and of at most 1, given 2",
                "rotate takes probability, degrees",
            ],
        ),
        (
            "image",
            [{"name": "erase", "smallest": 0.5}],
            ["data.augment[0]: smallest is 0.5 and largest is 0.4; it must not be less"],
        ),
    ],
)
def test_what_is_wrong_is_told_before_any_row_is_read(place: Path, task: str, augment: Any, words: list[str]) -> None:
    missing = f"data.train={place / 'nothing-here.csv'}"
    with pytest.raises(RecipeError) as caught:
        prepared(place, task, augment, missing)
    for part in words:
        assert part in str(caught.value)


# ---- transforms of plugins -------------------------------------------------------------------------------------------


class Invert(Transform):
    above: int = Field(default=0, ge=0)

    def change(self, value: Any, random: np.random.Generator) -> Any:
        return np.where(value >= self.above, 255 - value, value)


class InPlace(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        value[0] = 0
        return value


class Smaller(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        return value[1:]


class Listed(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        return value.tolist()


class Upper(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        return value.upper() if random.random() < 2 else value


class Emptied(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        return " "


class Numbered(Transform):
    def change(self, value: Any, random: np.random.Generator) -> Any:
        return 3


SPECS = {
    "image": {"invert": Invert, "in-place": InPlace, "smaller": Smaller, "listed": Listed, "function": len},
    "text": {"upper": Upper, "emptied": Emptied, "numbered": Numbered},
}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin ``demo`` with the transforms above, in the process's registry."""
    module = ModuleType("demo_transforms")
    specs = []
    for changes, found in SPECS.items():
        for name, target in found.items():
            setattr(module, name.replace("-", "_"), target)
            target_name = f"demo_transforms:{name.replace('-', '_')}"
            specs.append(AugmentationSpec(name=name, summary=name, target=target_name, changes=changes))
    monkeypatch.setitem(sys.modules, "demo_transforms", module)
    hooks = SimpleNamespace(tunesmith_augmentations=hookimpl(lambda: specs))
    candidate = Candidate(name="demo", distribution="demo", version="1", target="demo", requires=(), load=lambda: hooks)
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(Host([candidate], environ={})))


@pytest.mark.usefixtures("plugin")
def test_a_plugins_transform_runs_from_the_recipe_to_the_run(place: Path, tmp_path: Path) -> None:
    work = prepared(place, "image", [{"name": "demo/invert", "above": 100}])
    for one, item in zip(work.items["train"], work.seen_in(0), strict=True):
        before = one.features["pixels"]
        assert np.array_equal(item.features["pixels"], np.where(before >= 100, 255 - before, before))
    run = tunesmith.train(recipe(place, "image", ["invert"], f"output={tmp_path / 'run'}", "train.max_steps=2"))
    assert [one.model_dump() for one in run.recipe().data.augment] == [
        {"name": "invert", "probability": 1.0, "above": 0}
    ]
    texts = prepared(place, "text", ["upper"])
    ids = texts.task.tokenizer("APPLE NUMBER 0")["input_ids"]
    assert texts.seen_in(0)[0].features["input_ids"].tolist() == ids


@pytest.mark.usefixtures("plugin")
def test_a_transform_that_leaves_no_text_is_undone(place: Path) -> None:
    work = prepared(place, "text", ["emptied"])
    assert all(one is item for one, item in zip(work.items["train"], work.seen_in(0), strict=True))


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("image", "in-place", "ValueError: assignment destination is read-only"),
        ("image", "smaller", "it gave uint8 (7, 8, 1) for uint8 (8, 8, 1)"),
        ("image", "listed", "it gave list for an array"),
        ("text", "numbered", "it gave int for a text"),
    ],
)
def test_a_transform_that_fails_is_found_before_the_run_begins(
    place: Path, tmp_path: Path, kind: str, name: str, words: str
) -> None:
    with pytest.raises(PluginError) as caught:
        tunesmith.train(recipe(place, kind, [name], f"output={tmp_path / 'run'}"))
    told = str(caught.value)
    assert words in told
    assert f"the transform '{name}' of the plugin 'demo' failed on " in told
    assert ("images/a/0.png" if kind == "image" else "rows.csv:2") in told
    assert "leave the transform out" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("plugin")
def test_a_target_that_is_no_transform_is_refused(place: Path) -> None:
    with pytest.raises(PluginError, match=r"'function'[\s\S]*demo_transforms:function[\s\S]*tasks\.Transform"):
        prepared(place, "image", ["function"])


def test_the_catalogue_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    from tunesmith_cli.main import main

    assert main(["augmentations", "list", "--json"]) == 0
    listed = {one["name"]: one["changes"] for one in json.loads(capsys.readouterr().out)}
    assert listed["flip"] == "image"
    assert listed["typos"] == "text"


def test_the_reference_lists_every_transform_with_its_keys_and_defaults(root: Path) -> None:
    page = (root / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8")
    section = page.split("\n## Augmentations\n", 1)[1].split("\n## ", 1)[0]
    registry = get_registry()
    for one in registry.all("augmentation"):
        kind: Any = registry.load("augmentation", one.full_name)
        keys = ", ".join(f"`{name}: {field.default:g}`" for name, field in kind.model_fields.items())
        assert f"| `{one.spec.name}` | {keys} |" in section
