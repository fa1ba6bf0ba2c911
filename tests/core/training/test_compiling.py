# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Compiled layers: the numbers of the plain ones, graphs that a resumed job makes again, words where it cannot be."""

import copy
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import TrainingError
from tunesmith.models.source import ModelSource
from tunesmith.plugin import hookimpl
from tunesmith.recipe import parse_recipe
from tunesmith.recipe.schema import Recipe
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.testing import tiny_llama
from tunesmith.training import compiling
from tunesmith.training.batches import parts_of_step
from tunesmith.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tunesmith.training.compiling import compiled
from tunesmith.training.feed import Feed
from tunesmith.training.loop import Edges, Job, run_steps
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prepare import Work
from tunesmith.training.randomness import own_random_state, random_tensors
from tunesmith.training.strategy import Single

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def _own_machine_code(tmp_path_factory):
    """PyTorch keeps what it compiles in a folder of the user's; here in one of the test's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        patch.setattr("torch._inductor.config.compile_threads", 1)  # else worker processes are started, and stay
        yield


@pytest.fixture
def traced(monkeypatch):
    """Graphs are made as ever, and run without being turned into machine code: seconds less."""
    monkeypatch.setattr(compiling, "_BACKEND", "eager")


class Layer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm, self.wide, self.narrow = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return x + self.dropout(self.narrow(nn.functional.gelu(self.wide(self.norm(x)))))


class Net(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(2))

    def forward(self, ids):
        x = self.table(ids)
        for layer in self.layers:
            x = layer(x)
        return x


class Regression:
    """A stand-in for a task: rows of tokens, of which nothing should be left."""

    def collate(self, items):
        ids = torch.zeros(len(items), max(item.length for item in items), dtype=torch.int64)
        for row, item in enumerate(items):
            ids[row, : item.length] = torch.from_numpy(item.features["ids"])
        return Batch({"ids": ids}, None, len(items), sum(i.length for i in items), [i.row for i in items])

    def loss(self, model, batch):
        return model(**batch.inputs).square().mean((1, 2)).sum()


def job(dropout=0.0, lengths=range(3, 15), epochs=2, **train):
    settings = {"learning_rate": 0.01, "precision": "fp32", "warmup_steps": 0, "tokens_per_batch": 40, "compile": True}
    recipe = Recipe(task="t", model="m", data={"train": "x"}, train=settings | train, output="o")
    rng = np.random.default_rng(0)
    items = [
        Encoded({"ids": rng.integers(0, 30, length)}, length=length, targets=1, row=row)
        for row, length in enumerate(lengths)
    ]
    feed = Feed(lengths, tokens=40, rows=None, epochs=epochs, max_steps=None, accumulate=1, seed=0)
    with own_random_state(0, CPU):
        model = Net(dropout)
    task, source = Regression(), ModelSource(name="net", kind="folder")
    work = Work(recipe, Single(recipe), task, source, model, None, {"train": items}, task.collate, feed, {})
    return Job(work, make_optimizer(model, recipe.train), Progress())


def edges(**changes):
    quiet = {
        "stepped": lambda *_: None,
        "evaluate": lambda: False,
        "checkpoint": lambda: None,
        "stopped": lambda: False,
    }
    return Edges(**(quiet | changes))


def gradients(subject, step):
    """Loss and gradients of a step, whatever its dropout drew before."""
    subject.work.model.train()
    with own_random_state(5, CPU):
        parts = parts_of_step(subject.work, step)
        loss = subject.backward(parts, torch.tensor(float(sum(part.targets for part in parts))))
    found = {name: parameter.grad for name, parameter in subject.work.model.named_parameters()}
    subject.optimizer.zero_grad()
    return {"loss": loss, **found}


# ---- the numbers -------------------------------------------------------------------------------------------------


def test_loss_and_gradients_are_those_of_the_plain_layers():
    """To 1e-5 of each table's norm: machine code may sum in another order."""
    subject = job()
    plain = [gradients(subject, step) for step in range(5)]
    with compiled(subject) as compilation:
        for step, expected in enumerate(plain):
            for name, value in gradients(subject, step).items():
                assert (value - expected[name]).norm() <= 1e-5 * expected[name].norm() + 1e-9, (step, name)
        assert not compilation.plain


def test_resumed_it_ends_in_the_same_weights(tmp_path):
    """With dropout, and batches of many shapes; the second session takes the graphs that were kept."""
    from torch._dynamo.utils import counters

    def trained(subject, steps):
        with own_random_state(11, CPU), compiled(subject):
            path = None
            if subject.progress.step:
                load_checkpoint(tmp_path / "step-00000003", model=subject.work.model, optimizer=subject.optimizer)
            run_steps(subject, edges(stopped=lambda: subject.progress.step >= steps))
            if subject.progress.step == 3:
                path = save_checkpoint(
                    tmp_path,
                    model=subject.work.model,
                    optimizer=subject.optimizer,
                    progress=subject.progress,
                    keep=1,
                )
        return path

    whole, first, second = (job(dropout=0.3) for _ in range(3))
    total = whole.work.feed.total_steps
    assert total >= 6
    trained(whole, total)
    counters.clear()
    trained(first, 3)
    assert counters["inductor"]["fxgraph_cache_hit"] > 0
    assert counters["inductor"]["fxgraph_cache_miss"] == 0
    second.progress.step = 3
    trained(second, total)
    assert first.progress.step == 3
    assert second.progress.step == total
    for one, two in zip(whole.work.model.parameters(), second.work.model.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.usefixtures("traced")
def test_making_graphs_changes_nothing_of_the_job():
    subject = job(dropout=0.3)
    model = subject.work.model
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    with own_random_state(3, CPU):
        random = random_tensors(CPU)
        with compiled(subject) as compilation:
            after = random_tensors(CPU)
            assert list(model.state_dict()) == list(before), "the names of weights are the plain ones"
            assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
            assert modes == [module.training for module in model.modules()]
            assert all(parameter.grad is None for parameter in model.parameters())
            assert (compilation.layers, compilation.plain) == (2, set())
            assert compilation.graphs in (1, 2)
    assert all(torch.equal(random[name], after[name]) for name in random)
    assert all(layer._compiled_call_impl is None for layer in model.layers)
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.usefixtures("traced")
def test_no_graph_is_made_later():
    """Evaluation goes through the plain layers, and so does a shape that no graph fits, which is counted."""
    from torch._dynamo.utils import counters

    subject = job(lengths=[4, 5, 6, 7, 8] * 4)  # never a row alone
    model = subject.work.model
    plain = copy.deepcopy(model).eval()
    with compiled(subject) as compilation:
        made = counters["stats"]["unique_graphs"]
        run_steps(subject, edges(stopped=lambda: subject.progress.step >= 2))
        assert not compilation.plain
        model.eval()
        with torch.inference_mode():
            model(torch.zeros(3, 5, dtype=torch.int64))
        assert not compilation.plain, "evaluation is no step"
        model.load_state_dict(plain.state_dict())
        model.train()
        alone = torch.arange(7)[None]
        torch.testing.assert_close(model(alone), plain(alone), rtol=0, atol=0)
        assert compilation.plain == {2}
        assert compilation.afterword() == "in 1 step no graph fitted the shape of the batch: computed uncompiled"
        assert counters["stats"]["unique_graphs"] == made


@pytest.mark.usefixtures("traced")
def test_plugins_hear_where_code_is_kept_a_folder_for_each_kind_of_layers_and_shapes(tmp_path, monkeypatch):
    told = []
    plugin = SimpleNamespace(tunesmith_machine_code=hookimpl(lambda event: told.append(event)))
    observing = Candidate(
        name="demo", distribution="tunesmith-demo", version="1.0", target="demo", requires=(), load=lambda: plugin
    )
    monkeypatch.setattr(host, "_host", Host([observing], environ={}))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    for subject in (job(), job(), job(lengths=range(4, 16)), job(precision="bf16")):
        with compiled(subject):
            assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path), "it was another while graphs were made only"
    before, after = told[::2], told[1::2]
    assert [(one.kind, one.ready, one.seconds) for one in before] == [("torch", False, 0.0)] * 4
    assert [one.key for one in before] == [one.key for one in after]
    assert all(one.ready and one.seconds > 0 for one in after)
    keys = [one.key for one in before]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert {one.folder for one in told} == {str(tmp_path / key) for key in keys} == {str(p) for p in tmp_path.iterdir()}
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("by_pytorch", [True, False])
def test_code_is_kept_in_the_cache_unless_somebody_names_a_folder_or_there_is_no_cache(
    tmp_path, monkeypatch, by_pytorch
):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    if by_pytorch:  # which sets the variable to its own default when it is first asked
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", default_cache_dir())
    else:
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    with compiled(job()):
        assert os.environ.get("TORCHINDUCTOR_CACHE_DIR") in (None, default_cache_dir())
    (folder,) = (tmp_path / "compiled").iterdir()
    assert len(folder.name) == 64
    monkeypatch.setenv("TUNESMITH_CACHE", "off")
    with compiled(job(lengths=range(4, 16))):
        assert list((tmp_path / "compiled").iterdir()) == [folder]


def test_kernels_of_a_gpu_lie_in_the_jobs_own_folder_unless_somebody_names_another(tmp_path, monkeypatch):
    """PyTorch names the folder in the environment when it first needs it, and keeps to it."""
    found = []

    def needing(graph, inputs):
        os.environ.setdefault("TRITON_CACHE_DIR", str(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]) / "triton" / "0"))
        found.append(Path(os.environ["TRITON_CACHE_DIR"]))
        return graph.forward

    monkeypatch.setattr(compiling, "_BACKEND", needing)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    for lengths in (range(3, 15), range(4, 16)):
        with compiled(job(lengths=lengths)):
            assert "TRITON_CACHE_DIR" not in os.environ
    folders = {path.parents[1] for path in found}
    assert folders == set(tmp_path.iterdir())
    assert len(folders) == 2
    found.clear()
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path.parent / "elsewhere"))
    with compiled(job()):
        assert os.environ["TRITON_CACHE_DIR"] == str(tmp_path.parent / "elsewhere")
    assert set(found) == {tmp_path.parent / "elsewhere"}


@pytest.mark.usefixtures("traced")
def test_a_folder_that_cannot_be_made_costs_the_job_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", default_cache_dir())
    with compiled(job()) as compilation:
        assert compilation.graphs
    assert "machine code is not kept: " in caplog.text


@pytest.mark.usefixtures("traced")
def test_where_the_recipe_does_not_ask_nothing_is_done():
    subject = job(compile=False)
    with compiled(subject) as compilation:
        assert compilation is None
        assert all(layer._compiled_call_impl is None for layer in subject.work.model.layers)


def test_what_pytorch_cannot_compile_is_an_error_with_a_way_out(monkeypatch):
    def broken(graph, inputs):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(compiling, "_BACKEND", broken)
    with pytest.raises(TrainingError) as caught, compiled(job()):
        pass
    text = str(caught.value)
    assert "PyTorch cannot compile the layers of this model" in text
    assert "no such instruction" in text
    assert "--set train.compile=false" in text


@pytest.mark.usefixtures("traced")
def test_a_whole_job(tmp_path):
    """What was done is told, chosen values stand in the recipe, and the model has plain names."""
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"{'ab ' * (2 + n % 3)},{n % 2}\n" for n in range(16)))
    recipe = {
        "task": "text-classification",
        "model": str(tiny_llama(tmp_path / "llama", size=300_000)),
        "data": {"train": str(tmp_path / "rows.csv")},
        "train": {"max_steps": 3, "rows_per_batch": 4, "precision": "fp32", "compile": True},
        "output": str(tmp_path / "run"),
    }
    events = []
    run = tunesmith.train(parse_recipe(recipe), observers=[events.append])
    notes = [record["message"] for record in run.metrics() if record["kind"] == "note"]
    told = next(note for note in notes if note.startswith("compiled "))
    # Rows with padding and rows without: no more, for a layer that filled a cache would have a graph of its own.
    layers = json.loads((run.model_folder / "config.json").read_text())["num_hidden_layers"]
    assert layers > 2
    said = (
        rf"compiled {layers} layers \([12] graphs?\) in [\d.]+ s; forward and backward of 4 rows of [\d,]+ tokens take "
    )
    assert re.match(said, told), told
    with safe_open(run.model_folder / "model.safetensors", "pt") as saved:
        names = list(saved.keys())
    assert "model.layers.0.self_attn.q_proj.weight" in names
    assert not any("orig_mod" in name for name in names)
    assert run.recipe().train.compile is True
    assert "before the first step; evaluation is not compiled" in events[0].facts["compilation"]
    assert "attention" not in events[0].facts


def test_the_folder_of_machine_code_is_the_tests_own():
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    assert cache_dir() == os.environ["TORCHINDUCTOR_CACHE_DIR"]
