# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Adapters: what they train, what they start as, and that what they learned comes back from disk."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
)

from tunesmith.errors import ModelError
from tunesmith.models import (
    ModelSource,
    ScratchOptions,
    apply_method,
    find_model_by_name,
    load_weights,
    save_model,
)
from tunesmith.recipe.schema import MethodSection
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_llama(folder / "llama")
    tiny_bert(folder / "bert")
    tiny_image_model(folder / "cnn", architecture="cnn")
    return folder


def _load(folder: Path, head: Any, **config: Any) -> Any:
    return load_weights(find_model_by_name(str(folder), get_registry()), head, **config)


def _trainable(model: Any) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def _method(name: str, **values: Any) -> MethodSection:
    return MethodSection.model_validate({"name": name, **values})


def _step(model: Any, **inputs: torch.Tensor) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model(**inputs).logits.logsumexp(-1).sum().backward()
    optimizer.step()


def test_lora_starts_as_the_model_itself_and_follows_from_the_seed(models: Path) -> None:
    ids = torch.tensor([[3, 9, 8, 7]])
    before = _load(models / "llama", "causal-lm")(input_ids=ids).logits
    states = []
    for seed in (1, 1, 2):
        model = apply_method(_load(models / "llama", "causal-lm"), _method("lora"), seed=seed)
        assert torch.allclose(model(input_ids=ids).logits, before, atol=1e-6)
        states.append({name: p.detach() for name, p in model.named_parameters() if p.requires_grad})
    assert all("lora_" in name for name in states[0])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_lora_defaults_adapt_every_linear_layer_but_the_output(models: Path) -> None:
    model = apply_method(_load(models / "llama", "causal-lm"), _method("lora"))
    config = model.peft_config["default"]  # type: ignore[union-attr]
    assert (config.r, config.lora_alpha, config.lora_dropout, config.task_type) == (16, 32, 0.0, "CAUSAL_LM")
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name in _trainable(model)}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_lora_targets(models: Path) -> None:
    model = apply_method(_load(models / "llama", "causal-lm"), _method("lora", targets=["q_proj", "v_proj"], rank=2))
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in _trainable(model)} == {"q_proj", "v_proj"}
    with pytest.raises(ModelError, match="no linear layers of these names") as caught:
        apply_method(_load(models / "llama", "causal-lm"), _method("lora", targets=["q_proj", "query"]))
    assert "targets: query" in str(caught.value)
    assert "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "head", "inputs"),
    [
        ("llama", "causal-lm", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("llama", "sequence-classification", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("bert", "sequence-classification", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("cnn", "image-classification", {"pixel_values": torch.ones(1, 1, 8, 8)}),
    ],
)
def test_a_trained_adapter_comes_back(models: Path, tmp_path: Path, name: str, head: Any, inputs: Any) -> None:
    model = apply_method(_load(models / name, head), _method("lora", rank=2))
    _step(model, **inputs)
    save_model(model, tmp_path / "adapter")
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_base.json", "adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(models / name)
    again = load_weights(find_model_by_name(str(tmp_path / "adapter"), get_registry()), head, seed=99)
    assert not _trainable(again)
    assert torch.allclose(again(**inputs).logits, model.eval()(**inputs).logits, atol=1e-6)


def test_new_layers_inside_the_model_are_trained_and_saved_whole(tmp_path: Path) -> None:
    """A masked language model's checkpoint has no pooler: it is random, so an adapter has to carry it."""
    config = BertConfig(
        vocab_size=262,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    base = tiny_bert(tmp_path / "base")
    (base / "model.safetensors").unlink()
    BertForMaskedLM(config).save_pretrained(base)
    model = apply_method(_load(base, "sequence-classification"), _method("lora", rank=2))
    assert any("pooler.dense.modules_to_save" in name for name in _trainable(model))
    ids = torch.tensor([[3, 9, 8]])
    _step(model, input_ids=ids)
    save_model(model, tmp_path / "adapter")
    source = find_model_by_name(str(tmp_path / "adapter"), get_registry())
    again = load_weights(source, "sequence-classification", seed=99)
    assert torch.allclose(again(input_ids=ids).logits, model.eval()(input_ids=ids).logits, atol=1e-6)
    head = apply_method(_load(base, "sequence-classification"), _method("head"))
    assert "bert.pooler.dense.weight" in _trainable(head)


def _adapter(models: Path, folder: Path) -> Path:
    save_model(apply_method(_load(models / "llama", "causal-lm"), _method("lora", rank=2)), folder)
    return folder


def test_training_goes_on_with_an_adapter(models: Path, tmp_path: Path) -> None:
    folder = _adapter(models, tmp_path / "a")
    model = apply_method(_load(folder, "causal-lm"), _method("lora"))
    assert _trainable(model)
    assert all("lora_" in name for name in _trainable(model))
    with pytest.raises(ModelError, match="is an adapter already, and its rank cannot be changed"):
        apply_method(_load(folder, "causal-lm"), _method("lora", rank=4))
    for name in ("full", "head"):
        with pytest.raises(ModelError, match=f"method: {name} cannot train it"):
            apply_method(_load(folder, "causal-lm"), _method(name))


def test_an_adapter_that_lacks_weights_or_fits_another_base(models: Path, tmp_path: Path) -> None:
    folder = _adapter(models, tmp_path / "a")
    file = folder / "adapter_model.safetensors"
    state = load_file(file)
    gone = min(state)
    save_file({name: tensor for name, tensor in state.items() if name != gone}, file)
    with pytest.raises(ModelError, match="lacks weights") as caught:
        _load(folder, "causal-lm")
    assert gone in str(caught.value)
    save_file({name: torch.zeros(2, 2) for name in state}, file)
    with pytest.raises(ModelError, match="does not fit the model under it"):
        _load(folder, "causal-lm")


def test_an_adapter_over_other_weights_than_it_was_trained_on_is_refused(tmp_path: Path) -> None:
    tiny_llama(tmp_path / "base")
    model = apply_method(_load(tmp_path / "base", "causal-lm"), _method("lora"))
    save_model(model, tmp_path / "adapter")
    find_model_by_name(str(tmp_path / "adapter"), get_registry())
    tiny_llama(tmp_path / "base", seed=1)
    with pytest.raises(ModelError, match="is not the one it was trained on") as caught:
        find_model_by_name(str(tmp_path / "adapter"), get_registry())
    assert "bring that model back" in str(caught.value)
    (tmp_path / "adapter" / "adapter_base.json").unlink()  # as adapters of other programs are
    assert find_model_by_name(str(tmp_path / "adapter"), get_registry()).kind == "adapter"


def test_an_adapter_needs_a_trained_base(models: Path) -> None:
    options = ScratchOptions(architecture="llama", size=30_000, tokenizer="byte", vocabulary=262, context=32, seed=0)
    model = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm")
    with pytest.raises(ModelError, match="starts from scratch") as caught:
        apply_method(model, _method("lora"))
    assert "use method: full" in str(caught.value)


# ---- kinds of adapters ---------------------------------------------------------------------------------------------

KINDS: list[dict[str, Any]] = [{}, {"rslora": True}, {"dora": True}, {"dora": True, "rslora": True, "rank": 4}]
IDS = torch.tensor([[3, 9, 8, 7, 21]])


def _moved(folder: Path, head: Any, **values: Any) -> Any:
    """An adapter whose every part has moved."""
    model: Any = apply_method(_load(folder, head), _method("lora", **values))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(values) or "lora")
def test_every_kind_of_adapter_starts_as_the_model_itself(models: Path, values: dict[str, Any]) -> None:
    before = _load(models / "llama", "causal-lm")(input_ids=IDS).logits
    model: Any = apply_method(_load(models / "llama", "causal-lm"), _method("lora", **values))
    assert torch.allclose(model(input_ids=IDS).logits, before, atol=1e-5)
    assert ("lora_magnitude_vector" in str(_trainable(model))) == bool(values.get("dora"))


def test_the_scale_of_rslora(models: Path) -> None:
    def scale(**values: Any) -> float:
        model: Any = apply_method(_load(models / "llama", "causal-lm"), _method("lora", **values))
        scales = {module.scaling["default"] for module in model.modules() if hasattr(module, "lora_A")}
        assert len(scales) == 1
        return float(scales.pop())

    assert scale() == scale(rank=64) == 2
    assert scale(rslora=True) == 2, "at the default rank it is what it is without"
    assert scale(rslora=True, rank=64) == pytest.approx(8 / 8)
    assert scale(rslora=True, rank=64, alpha=16) == pytest.approx(16 / 8)


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(values) or "lora")
def test_a_saved_adapter_opens_in_plain_peft_and_merges_exactly(
    models: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = _moved(models / "llama", "causal-lm", **values)
    expected = model(input_ids=IDS).logits
    assert not torch.allclose(expected, _load(models / "llama", "causal-lm")(input_ids=IDS).logits, atol=1e-2)
    save_model(model, tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(models / "llama", dtype=torch.float32)
    plain: Any = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    torch.testing.assert_close(plain(input_ids=IDS).logits, expected, rtol=1e-5, atol=1e-5)
    again = _load(tmp_path / "adapter", "causal-lm").eval()
    torch.testing.assert_close(again(input_ids=IDS).logits, expected, rtol=1e-5, atol=1e-5)
    merged = plain.merge_and_unload()
    assert not any("lora_" in name for name, _ in merged.named_parameters())
    torch.testing.assert_close(merged(input_ids=IDS).logits, expected, rtol=1e-4, atol=1e-5)


def test_dora_is_the_papers_formula(models: Path) -> None:
    """arXiv:2402.09353, equation 5: W' = m (W + BA) / ‖W + BA‖, the norm over each output's weights."""
    model = _moved(models / "llama", "causal-lm", dora=True, targets=["q_proj"], rank=2)
    layer = next(module for name, module in model.named_modules() if name.endswith("q_proj"))
    weight = layer.base_layer.weight
    step = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    length = layer.lora_magnitude_vector["default"].weight
    direction = weight + step
    expected = length[:, None] * direction / direction.norm(dim=1, keepdim=True)
    x = torch.randn(3, weight.shape[1], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(layer(x), x @ expected.T, rtol=1e-4, atol=1e-5)


def test_an_adapter_keeps_its_kind(models: Path, tmp_path: Path) -> None:
    save_model(_moved(models / "llama", "causal-lm", dora=True), tmp_path / "a")
    model: Any = apply_method(_load(tmp_path / "a", "causal-lm"), _method("lora"))
    assert any("lora_magnitude_vector" in name for name in _trainable(model))
    with pytest.raises(ModelError, match="is an adapter already, and its dora cannot be changed"):
        apply_method(_load(tmp_path / "a", "causal-lm"), _method("lora", dora=True))


# ---- 4 bits --------------------------------------------------------------------------------------------------------


def test_quantize_without_a_gpu_says_what_it_needs(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"method\.quantize needs a CUDA GPU") as caught:
        apply_method(_load(models / "llama", "causal-lm"), _method("lora", quantize="nf4"))
    assert "leave method.quantize out" in str(caught.value)


def test_quantize_without_bitsandbytes_says_how_to_get_it(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match="needs the package bitsandbytes") as caught:
        apply_method(_load(models / "llama", "causal-lm"), _method("lora", quantize="nf4"))
    assert "pip install 'tunesmith[qlora]'" in str(caught.value)


def test_the_backward_pass_of_an_adapter_ends_at_its_lowest_target(models: Path) -> None:
    base = _load(models / "llama", "causal-lm")
    last = len(base.model.layers) - 1
    target = f"model.layers.{last}.mlp.down_proj"
    model: Any = apply_method(base, _method("lora", targets=[target]))
    seen = []
    for layer in (base.model.layers[last - 1], base.model.layers[last].self_attn, base.model.layers[last]):
        layer.register_forward_hook(
            lambda _module, _inputs, output: seen.append(
                (output[0] if isinstance(output, tuple) else output).requires_grad
            )
        )
    model(input_ids=IDS).logits.sum().backward()
    assert seen == [False, False, True]
