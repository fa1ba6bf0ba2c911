# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Training in float8: who may, on what, which layers; and that everything it leaves is what the core leaves.

The arithmetic is torchao's, computed on the processor as a GPU would; where torchao is not installed these tests are
skipped, and a double stands in its place in the others: it puts layers of a class of its own there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml
from licensed import Machine
from safetensors.torch import load_file
from torch import nn

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import DeniedError, RecipeError, StoppedError, TrainingError
from tunesmith.plugin import RunNote, StepDone
from tunesmith.registry import Registry
from tunesmith.testing import tiny_bert
from tunesmith_cli.main import main
from tunesmith_enterprise import plugin as enterprise
from tunesmith_enterprise.optimizations.float8 import layers
from tunesmith_enterprise.optimizations.float8.layers import Float8
from tunesmith_enterprise.recipe import EnterpriseSection, Float8Section

CPU = torch.device("cpu")


class Layer(nn.Module):
    def __init__(self, inner: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(32, inner), nn.Linear(inner, 32, bias=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = hidden + self.down(torch.relu(self.up(hidden)))
        return out


class Net(nn.Module):
    """Two repeated layers, and one that reads them out."""

    def __init__(self, inner: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(inner) for _ in range(2))
        self.head = nn.Linear(32, 16)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        out: torch.Tensor = self.head(hidden)
        return out


class Swapped(nn.Linear):
    """What the double puts in the place of a layer."""


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """In torchao's place; gives the settings it was handed."""
    found: list[Any] = []

    class Float8LinearConfig:
        @staticmethod
        def from_recipe_name(name: str) -> Any:
            return name

    def convert(model: nn.Module, *, module_filter_fn: Any, config: Any) -> None:
        found.append(config)
        for name, one in list(model.named_modules()):
            if isinstance(one, nn.Linear) and module_filter_fn(one, name):
                one.__class__ = Swapped

    module = ModuleType("torchao.float8")
    module.Float8LinearConfig, module.convert_to_float8_training = Float8LinearConfig, convert  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchao", ModuleType("torchao"))
    monkeypatch.setitem(sys.modules, "torchao.float8", module)
    monkeypatch.setattr(layers, "replace", lambda config, **changes: {"recipe": config, **changes})
    return found


# ---- which layers ----------------------------------------------------------------------------------------------------


def test_linear_layers_within_the_repeated_ones_are_converted_and_keep_their_weights(double: list[Any]) -> None:
    net = Net()
    before = dict(net.named_parameters())
    found = Float8(Float8Section(recipe="rowwise-with-gw-hp"), emulate=True).convert(net, CPU)
    assert [type(one) for one in (net.layers[0].up, net.layers[1].down, net.head)] == [Swapped, Swapped, nn.Linear]
    assert all(before[name] is one for name, one in net.named_parameters())
    assert double == [{"recipe": "rowwise_with_gw_hp", "pad_inner_dim": True, "emulate": True}]
    assert found.note() == (
        "4 linear layers of the model multiply in float8 (rowwise-with-gw-hp); "
        "1 in bf16: outside the repeated layers, as the output layer is"
    )


def test_what_the_recipe_leaves_what_does_not_train_and_odd_sizes_stay_in_bf16(double: list[Any]) -> None:
    net = Net()
    net.layers[1].up = nn.Linear(32, 64).requires_grad_(False)
    net.layers[1].down = nn.Linear(72, 32)
    found = Float8(Float8Section(leave=["layers.0.d*"]), emulate=True).convert(net, CPU)
    assert (found.converted, dict(found.left)) == (
        1,
        {
            "left as asked": 1, "they do not train": 1, "their sizes are no multiples of 16": 1,
            "outside the repeated layers, as the output layer is": 1,
        },
    )  # fmt: skip


def test_a_pattern_that_names_no_layer_is_an_error(double: list[Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        Float8(Float8Section(leave=["*.q_proj"]), emulate=True).convert(Net(), CPU)
    text = " ".join(str(caught.value).split())
    assert "plugins.enterprise.float8.leave names no linear layer of this model" in text
    assert "*.q_proj" in text
    assert "layers.0.up, layers.0.down" in text


def test_a_model_without_a_layer_for_it_is_an_error(double: list[Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        Float8(Float8Section(), emulate=True).convert(Net(inner=10), CPU)
    text = " ".join(str(caught.value).split())
    assert "no layer of this model can compute in float8" in text
    assert "4 linear layers: their sizes are no multiples of 16" in text
    assert "--set train.strategy=single" in text


# ---- on what ---------------------------------------------------------------------------------------------------------


def test_a_processor_is_refused_and_nothing_else_is_done_instead(double: list[Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        Float8(Float8Section()).convert(Net(), CPU)
    text = " ".join(str(caught.value).split())
    assert "float8 needs a GPU" in text
    assert "train.device: cpu" in text
    assert "an NVIDIA GPU of compute capability 8.9 or more" in text
    assert double == []


def test_a_gpu_without_units_for_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, double: list[Any]) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A100")
    with pytest.raises(RecipeError, match=r"A100, compute capability 8\.0"):
        Float8(Float8Section()).convert(Net(), torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    assert Float8(Float8Section()).convert(Net(), torch.device("cuda")).converted == 4


def test_without_torchao_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    with pytest.raises(TrainingError) as caught:
        Float8(Float8Section(), emulate=True).convert(Net(), CPU)
    assert "pip install 'tunesmith-enterprise[float8]'" in str(caught.value)


# ---- whole jobs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def customer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """With the plugin in use, and its float8 computed on the processor."""
    one = Candidate(
        name="enterprise", distribution="tunesmith-enterprise", version="0.1.0", target=__name__,
        load=lambda: enterprise,
    )  # fmt: skip
    made = Host([one], environ={})
    monkeypatch.setattr(host, "_host", made)
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))
    monkeypatch.setattr(layers, "Float8", lambda settings: Float8(settings, emulate=True))
    return machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    config = folder / "bert" / "config.json"
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config.write_text(json.dumps(json.loads(config.read_text()) | still))
    return folder


def recipe(place: Path, out: Path, strategy: str = "float8", **changes: Any) -> tunesmith.Recipe:
    train = {
        "max_steps": 6, "rows_per_batch": 4, "precision": "bf16", "device": "cpu", "save_every": 2,
        "learning_rate": 1e-3, "strategy": strategy,
    }  # fmt: skip
    job = {
        "task": "text-classification",
        "model": str(place / "bert"),
        "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.25}},
        "output": str(out),
    }
    return tunesmith.parse_recipe(job | {"train": train | changes.pop("train", {})} | changes)


def test_a_job_says_what_it_does_and_asks_its_license_once(customer: Machine, place: Path, double: list[Any]) -> None:
    notes: list[str] = []
    run = tunesmith.train(
        recipe(place, customer.folder / "run", train={"max_steps": 1}),
        observers=[lambda event: notes.append(event.message) if isinstance(event, RunNote) else None],
    )
    assert any("multiply in float8 (tensorwise)" in note for note in notes)
    assert "multiply in float8" in (run.path / "model" / "README.md").read_text("utf-8")
    assert customer.asked == ["optimizations"]
    ((grant,),) = [allowed["grants"] for allowed in run.manifest["allowed"].values()]
    assert grant["feature"] == "optimizations"


def test_checkpoints_written_beside_go_together_with_float8(customer: Machine, place: Path, double: list[Any]) -> None:
    section = {"enterprise": {"float8": {"recipe": "rowwise"}}}
    tunesmith.train(recipe(place, customer.folder / "run", "overlapped", plugins=section, train={"max_steps": 1}))
    assert [one["recipe"] for one in double] == ["rowwise"]


def test_a_job_without_a_license_is_refused(customer: Machine, place: Path) -> None:
    customer.install(features={"governance": {}})
    with pytest.raises(DeniedError, match="the feature optimizations"):
        tunesmith.train(recipe(place, customer.folder / "run"))
    assert not (customer.folder / "run").exists()


def test_nobody_gets_round_the_gate(customer: Machine, place: Path) -> None:
    tunesmith.train(recipe(place, customer.folder / "run", "single", train={"max_steps": 1}))
    with pytest.raises(DeniedError, match="nobody has asked the license for training in float8"):
        layers.float8_of(recipe(place, customer.folder / "other"))


def test_a_strategy_that_would_not_look_at_it_is_refused(customer: Machine, place: Path) -> None:
    with pytest.raises(DeniedError, match=r"plugins\.enterprise\.float8 says nothing to train\.strategy: single"):
        tunesmith.train(recipe(place, customer.folder / "run", "single", plugins={"enterprise": {"float8": {}}}))
    assert customer.asked == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": {"precision": "fp32"}}, "train.precision: fp32"),
        ({"train": {"precision": "bf16-weights"}}, "train.precision: bf16-weights"),
        ({"method": "lora"}, "method: lora"),
    ],
)
def test_what_does_not_go_with_it_is_told(customer: Machine, place: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match="this job cannot be trained in float8") as caught:
        tunesmith.train(recipe(place, customer.folder / "run", **changes))
    assert words in str(caught.value)


def test_the_page_says_what_the_recipe_takes_and_its_command_is_refused_without_a_gpu(
    customer: Machine, place: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (root / "docs" / "how-to" / "faster.md").read_text("utf-8")
    (said,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    told = yaml.safe_load(said)
    section = EnterpriseSection.model_validate(told["plugins"]["enterprise"])
    assert section.float8 == Float8Section(recipe="rowwise", leave=["*.k_proj"])
    job = recipe(place, customer.folder / "run").model_dump(mode="json")
    (customer.folder / "recipe.yaml").write_text(json.dumps({**job, "train": {"device": "cpu", "max_steps": 1}}))
    (command,) = re.findall(r"^tunesmith (train .+)$", page, re.MULTILINE)
    monkeypatch.setattr(layers, "Float8", Float8)
    assert main(command.split()) != 0
    assert "float8 needs a GPU" in capsys.readouterr().err


# ---- torchao itself --------------------------------------------------------------------------------------------------


def learned(net: Net, steps: int = 40) -> list[float]:
    """The losses of a net that learns to turn its input around."""
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    inputs = torch.randn(steps, 24, 32)  # 24 rows: no multiple of 16
    losses = []
    for one in inputs:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = (net(one).float() - one[:, :16].flip(1)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", ["tensorwise", "rowwise", "rowwise-with-gw-hp"])
def test_a_model_learns_in_float8_as_in_bf16(name: Any) -> None:
    pytest.importorskip("torchao", reason="needs the extra float8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = Net()
        fast = Net()
        fast.load_state_dict(plain.state_dict())
        Float8(Float8Section(recipe=name), emulate=True).convert(fast, CPU)
        expected, found = learned(plain), learned(fast)
    assert found[-1] < 0.5 * found[0]
    assert found != expected
    assert max(abs(one / other - 1) for one, other in zip(found, expected, strict=True)) < 0.05


def test_a_job_that_was_stopped_goes_on_in_float8_to_the_same_bits_or_in_the_core_to_a_like_loss(
    customer: Machine, place: Path
) -> None:
    pytest.importorskip("torchao", reason="needs the extra float8")
    losses: dict[str, list[float]] = {}

    def trained(name: str, strategy: str = "float8") -> tunesmith.Run:
        steps: list[float] = losses.setdefault(name, [])
        observers = [lambda event: steps.append(event.loss) if isinstance(event, StepDone) else None]
        return tunesmith.train(recipe(place, customer.folder / name, strategy), observers=observers)

    def stopped(name: str) -> Path:
        from threading import Event

        stop = Event()

        def ask(event: Any) -> None:
            if isinstance(event, StepDone) and event.step == 3:
                stop.set()

        with pytest.raises(StoppedError):
            tunesmith.train(recipe(place, customer.folder / name), observers=[ask], stop=stop)
        return Path(customer.folder / name)

    whole, plain = trained("whole"), trained("plain", "single")
    assert losses["whole"] != losses["plain"]
    pairs = zip(losses["whole"], losses["plain"], strict=True)
    assert max(abs(one / other - 1) for one, other in pairs) < 0.05
    file = "model/model.safetensors"
    assert load_file(whole.path / file).keys() == load_file(plain.path / file).keys()
    again = tunesmith.train(resume=stopped("again"))
    assert (again.path / file).read_bytes() == (whole.path / file).read_bytes()
    left = stopped("left")
    customer.delete()
    sys.modules.pop("torchao.float8", None)
    core = tunesmith.train(resume=left, strategy="single")
    assert core.manifest["status"] == "finished"
    weights = load_file(core.path / file)
    assert all(torch.allclose(one, weights[name], atol=0.01) for name, one in load_file(whole.path / file).items())
