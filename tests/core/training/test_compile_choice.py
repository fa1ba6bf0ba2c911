# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether a job's layers are compiled: as asked, or where it pays; and what stands in the way."""

import copy

import pytest
import torch
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.recipe import parse_recipe
from tunesmith.training import compile_choice
from tunesmith.training.compile_choice import REPAID, choose_compile, repeated_layers
from tunesmith.training.resolve import with_values
from tunesmith.training.strategy import Single

CPU = torch.device("cpu")


class Net(nn.Module):
    """Two layers alike."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)) for _ in range(2))


class Plain:
    """A task whose rows do not compare each other."""


def choice(wanted, *, model=None, precision="fp32", tokens=1000, strategy=None, **changes):
    recipe = parse_recipe(
        {"task": "t", "model": "m", "data": {"train": "x"}, "train": {"compile": wanted}, "output": "o"} | changes
    )
    strategy = strategy or Single(with_values(recipe, "train", device="cpu"))
    return choose_compile(recipe, Plain(), model or Net(), strategy, precision=precision, tokens=tokens)


def test_nothing_is_said_where_nobody_asked():
    assert choice(False) == compile_choice.CompileChoice(False)


def test_asked_for():
    found = choice(True)
    assert found.on
    assert found.fact == "as asked: 2 layers, before the first step; evaluation is not compiled"


class Elsewhere:
    device = CPU


class SaysSo(Single):
    compiles = True


class SaysNothing(SaysSo):
    """Of a class that does."""


def test_a_strategy_that_computes_whole_layers_says_so_itself():
    recipe = parse_recipe(
        {"task": "t", "model": "m", "data": {"train": "x"}, "train": {"device": "cpu"}, "output": "o"}
    )
    assert choice(True, strategy=SaysSo(recipe)).on
    with pytest.raises(RecipeError, match="may divide the layers in ways only it knows"):
        choice(True, strategy=SaysNothing(recipe))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))}, "the model has no repeated layers"),
        ({"method": "head"}, "with method: head the repeated layers do not train"),
        ({"strategy": Elsewhere()}, "strategy 'single' may divide the layers in ways only it knows"),
    ],
)
def test_what_stands_in_the_way(changes, words):
    with pytest.raises(RecipeError) as caught:
        choice(True, **changes)
    text = str(caught.value)
    assert "the layers of this job cannot be compiled" in text
    assert f"train.compile: true; {words}" in text
    assert "--set train.compile=false" in text
    found = choice("auto", precision="bf16-weights", tokens=10**15, **changes)
    assert found == compile_choice.CompileChoice(False, f"no: {words}")


def test_a_machine_without_a_compiler(monkeypatch):
    from torch._inductor import cpp_builder, exc

    def search():
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", search)
    with pytest.raises(RecipeError, match=r"there is no C\+\+ compiler \(g\+\+; the variable CXX names another\)"):
        choice(True)
    assert "no: there is no C++ compiler" in choice("auto", precision="bf16-weights").fact


def test_a_machine_without_pythons_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(compile_choice.sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(RecipeError, match=r"there is no Python\.h"):
        choice(True)


@pytest.mark.parametrize(
    ("precision", "words"),
    [
        ("fp32", "no: in fp32 a processor gains nothing by it"),
        ("bf16", "no: what it gives in bf16 on a processor has not been measured"),
    ],
)
def test_auto_where_no_gain_is_known(precision, words):
    assert choice("auto", precision=precision, tokens=10**15) == compile_choice.CompileChoice(False, words)


def test_auto_goes_by_the_size_of_the_job():
    weights = sum(parameter.numel() for layer in Net().layers for parameter in layer.parameters())
    enough = int(REPAID / weights) + 1
    long, short = (choice("auto", precision="bf16-weights", tokens=tokens) for tokens in (enough, enough - 1_000))
    assert long.on
    assert (
        long.fact == f"{enough:,} tokens through 2 layers of {weights:,} weights repay it; evaluation is not compiled"
    )
    assert not short.on
    assert short.fact.endswith("would not repay it")


def test_the_repeated_layers_are_those_of_the_outermost_lists():
    inner = nn.Module()
    inner.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    model = nn.Module()
    model.blocks = nn.ModuleList([inner, copy.deepcopy(inner)])
    model.heads = nn.ModuleList([nn.Linear(2, 2), nn.LayerNorm(2)])  # of two kinds
    model.shapes = nn.ModuleList([nn.GELU(), nn.GELU()])  # without weights
    assert repeated_layers(model) == list(model.blocks)
