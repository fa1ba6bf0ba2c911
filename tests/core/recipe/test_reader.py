# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Files: YAML without its traps, TOML, lines, and everything that is not a recipe."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.recipe import read_recipe
from tunesmith.recipe.toml_text import read_toml
from tunesmith.recipe.yaml_text import read_yaml

YAML = """\
task: text-classification
model: tunesmith/tiny
method: full
data:
  train: data/train.csv
  test: data/test.csv
  columns: {text: text, label: category}
train: {epochs: 5, learning_rate: 2e-4, tokens_per_batch: 1024, seed: 0}
output: runs/banking
"""
TOML = """\
task = "text-classification"
model = "tunesmith/tiny"
method = "full"
output = "runs/banking"

[data]
train = "data/train.csv"
test = "data/test.csv"
columns = {text = "text", label = "category"}

[train]
epochs = 5
learning_rate = 2e-4
tokens_per_batch = 1024
"""


def write(folder: Path, text: str | bytes, name: str = "recipe.yaml") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def message(file: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(file, overrides)
    return str(caught.value)


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, YAML))
    assert recipe.train.learning_rate == 2e-4
    assert recipe.data.columns == {"text": "text", "label": "category"}
    assert recipe == read_recipe(write(tmp_path, TOML, "recipe.toml"))
    assert recipe == read_recipe(write(tmp_path, YAML, "recipe.YML"))
    assert recipe == read_recipe(str(write(tmp_path, b"\xef\xbb\xbf" + YAML.encode(), "bom.yaml")))
    assert recipe == read_recipe(write(tmp_path, YAML.replace("\n", "\r\n"), "windows.yaml"))


def test_overrides_win(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, YAML), ["train.epochs=1"]).train.epochs == 1


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("2e-4", 2e-4),
        ("1.", 1.0),
        ("-.5E3", -500.0),
        (".inf", float("inf")),
        ("12", 12),
        ("1_000", 1000),
        ("010", 10),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("n", "n"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("0x1f", "0x1f"),
        ("", None),
        ("~", None),
        ("null", None),
        ("'3'", "3"),
        ("!!str 3", "3"),
    ],
)
def test_plain_values_follow_yaml_1_2(plain: str, value: object) -> None:
    data, _ = read_yaml(f"key: {plain}", "r")
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_problems_carry_their_lines(tmp_path: Path) -> None:
    text = YAML.replace("tokens_per_batch: 1024", "tokens: 1024").replace("method: full", "method:\n  nam: full")
    assert message(write(tmp_path, text)).splitlines()[1:-1] == [
        "    line 4: method.nam: unknown key; did you mean 'name'?",
        "    line 9: train.tokens: unknown key; did you mean 'tokens_per_batch'?",
    ]


def test_problems_of_toml_carry_their_lines(tmp_path: Path) -> None:
    text = (
        TOML.replace("epochs = 5", "epoch = 5").replace('"category"}', "3}").replace('method = "full"', "method.rank=0")
    )
    assert message(write(tmp_path, text, "r.toml")).splitlines()[1:-1] == [
        "    line 3: method.rank: expected a whole number of at least 1, given 0",
        "    line 9: data.columns.label: expected text, given 3; put it in quotes",
        "    line 12: train.epoch: unknown key; did you mean 'epochs'?",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: a\nmodel: b\ntask: c", ["line 3: the key 'task' stands twice", "'task' on line 1 and on line 3"]),
        ("a: {b: 1,\n b: 2}", ["line 2: the key 'b' stands twice"]),
        ("a: [", ["line 1: not valid YAML", "texts with : or # in quotes"]),
        ("a:\n  b: 1\n c: 2", ["line 3: not valid YAML"]),
        ("a:\n\tb: 1", ["line 2: not valid YAML", "a tab; YAML is indented with spaces"]),
        ("a: b: c", ["line 1: not valid YAML", "mapping values are not allowed here"]),
        ("--- {a: 1}\n--- {b: 1}", ["line 2", "a second document begins here"]),
        ("a: !!python/object:os.system x", ["line 1: cannot read 'x' as", "remove the tag"]),
        ("!!python/object/apply:os.system [x]", ["line 1: tags are not used in recipes"]),
        ("a: !!int x", ["line 1: cannot read 'x'"]),
        ("1: x", ["line 1: a key must be text", "given:    1", "put it in quotes"]),
        ("? [a]\n: b", ["line 1: a key must be text", "a list or section"]),
        ("a: 1\nb: \x07", ["line 2: not valid YAML", "the character '\\x07' is not allowed"]),
        ("a: &x [*x]", ["line 1: a value that holds itself"]),
        ("[" * 5000, ["nested too deeply"]),
        ("- a\n- b", ["is not a recipe", "given:    ['a', 'b']", "tunesmith recipe new TASK"]),
        ("just text", ["is not a recipe", "given:    'just text'"]),
        ("", ["is empty", "tunesmith recipe new TASK"]),
        ("# only this\n", ["is empty"]),
        (b"task: caf\xe9", ["line 1: not UTF-8", "byte 0xe9 at position 9", "save the file as UTF-8"]),
        (b"a: 1\n# \xff\xfe", ["line 2: not UTF-8"]),
        (b"#" * 1_000_001, ["is too large for a recipe", "1,000,001 bytes"]),
    ],
)
def test_yaml_that_is_no_recipe(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    found = message(write(tmp_path, text))
    for word in words:
        assert word in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task = 1\ntask = 2", ["line 2: not valid TOML", "Cannot overwrite a value"]),
        ("task = ", ["line 1: not valid TOML", "Invalid value"]),
        ('task = "a\n', ["line 1: not valid TOML"]),
        ("task = 2026-01-01", ["task: expected text"]),
    ],
)
def test_toml_that_is_no_recipe(tmp_path: Path, text: str, words: list[str]) -> None:
    found = message(write(tmp_path, text, "recipe.toml"))
    for word in words:
        assert word in found


def test_repeated_aliases_do_not_fill_the_memory() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    data, _ = read_yaml("\n".join(rows), "r")
    assert data["a59"][0] is data["a59"][1]


@pytest.mark.parametrize("place", ["train: *a11", "task: *a11", "data: {train: *a11}", "data: {columns: *a11}"])
def test_aliases_that_repeat_each_other_are_counted_not_followed(tmp_path: Path, place: str) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = tmp_path / "bomb.yaml"
    file.write_text("\n".join([*lines, place]))
    with pytest.raises(RecipeError, match="too many values for a recipe"):
        read_recipe(file)


def test_a_toml_key_of_many_parts_does_not_fill_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("a" + ".a" * 10_000 + " = 1\n")
    with pytest.raises(RecipeError, match="nested too deeply"):
        read_recipe(file)


def test_an_override_does_not_reach_through_an_alias(tmp_path: Path) -> None:
    text = YAML + "evaluate: {metric: x}\n"
    text = text.replace("{text: text, label: category}", "&c {text: text}").replace("test: data", "test: &t data")
    recipe = read_recipe(write(tmp_path, text), ["data.columns.text=body"])
    assert recipe.data.columns == {"text": "body"}


def test_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path, YAML, "banking.yaml")
    assert f"did you mean {tmp_path / 'banking.yaml'}?" in message(tmp_path / "bankng.yaml")
    assert "no such file" in message(tmp_path / "nowhere" / "x.yaml")
    assert "tunesmith recipe new TASK > recipe.yaml" in message(tmp_path / "q.toml")


def test_files_that_are_something_else(tmp_path: Path) -> None:
    found = message(write(tmp_path, "text,label\n", "train.csv"))
    assert "train.csv is not a recipe file" in found
    assert "given:    the ending '.csv'" in found
    assert "expected: .yaml, .yml or .toml" in found
    assert "is a folder" in message(tmp_path)
    write(tmp_path, YAML)
    assert f"did you mean {tmp_path / 'recipe.yaml'}?" in message(tmp_path)


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="abz01:-{}[],#&*!|>'\"%@` \n\t.\\", max_size=40))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    with suppress(RecipeError):
        read_yaml(text, "r")


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="abz01:-{}[],#=.'\" \n\t\\", max_size=40))
def test_any_toml_is_read_or_refused(text: str) -> None:
    with suppress(RecipeError):
        _, lines = read_toml(text, "r")
        assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
