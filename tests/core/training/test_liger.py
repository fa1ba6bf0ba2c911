# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Liger's kernels: where they are used, that they stay in one model, and that they compute the same."""

import copy
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama import modeling_llama

from tunesmith.runs.environment import PACKAGES
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith.training import liger
from tunesmith.training.liger import use_liger

GPU = torch.device("cuda")


@pytest.fixture
def asked(monkeypatch):
    """A stand-in for the package, which patches as it does: a name of transformers' module, and the layers."""
    calls = []

    def patch(*, model, **kernels):
        calls.append(kernels)
        modeling_llama.LlamaRMSNorm = object
        for layer in model.model.layers:
            layer.input_layernorm.extra_repr = lambda: "fused"

    module = ModuleType("liger_kernel.transformers.monkey_patch")
    module.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": patch}
    module._apply_liger_kernel_to_instance = patch
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", ModuleType("liger_kernel.transformers"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers.monkey_patch", module)
    monkeypatch.setattr(liger, "version", lambda name: {"liger-kernel": "0.8.5"}[name])
    return calls


def test_layers_of_one_model_are_changed_and_names_of_its_module_are_not(asked, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_llama(tmp_path))
    norm = modeling_llama.LlamaRMSNorm
    assert use_liger(model, GPU) == "norms and gated layers of Liger 0.8.5"
    assert model.model.layers[0].input_layernorm.extra_repr() == "fused"
    assert modeling_llama.LlamaRMSNorm is norm
    (kernels,) = asked
    assert {name for name, used in kernels.items() if used} == {"rms_norm", "layer_norm", "swiglu", "geglu"}
    assert not kernels["fused_linear_cross_entropy"]  # on by default in Liger


def test_it_is_left_out_on_a_processor_for_unknown_families_and_without_the_package(asked, tmp_path):
    llama = AutoModelForCausalLM.from_pretrained(tiny_llama(tmp_path / "llama"))
    assert use_liger(llama, torch.device("cpu")) is None
    from transformers import AutoModel

    assert use_liger(AutoModel.from_pretrained(tiny_bert(tmp_path / "bert")), GPU) is None
    assert not asked


@pytest.mark.skipif(find_spec("liger_kernel") is not None, reason="the package is installed")
def test_without_the_package_nothing_is_said(tmp_path):
    assert use_liger(AutoModelForCausalLM.from_pretrained(tiny_llama(tmp_path)), GPU) is None


def test_its_version_is_written_into_every_manifest():
    assert "liger-kernel" in PACKAGES  # it changes the last bits


@pytest.mark.skipif(not torch.cuda.is_available() or find_spec("liger_kernel") is None, reason="needs a GPU and Liger")
def test_loss_and_gradients_are_those_of_the_plain_model(tmp_path):
    plain = AutoModelForCausalLM.from_pretrained(tiny_llama(tmp_path)).to(GPU).train()
    fused = copy.deepcopy(plain)
    assert use_liger(fused, GPU)
    ids = torch.randint(0, 200, (3, 40), device=GPU, generator=torch.Generator(GPU).manual_seed(0))
    losses = []
    for model in (plain, fused):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        losses.append(float(loss))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for (name, one), two in zip(plain.named_parameters(), fused.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, rtol=1e-3, atol=1e-5), name
