# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import pytest
import torch

from tunesmith.models import apply_method, find_model_by_name, load_weights
from tunesmith.recipe import MethodSection
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama
from tunesmith.training.attention import fit_attention

CPU = torch.device("cpu")


def model(folder, head, **config):
    return load_weights(find_model_by_name(str(folder), get_registry()), head, **config)


@pytest.mark.parametrize(("make", "head"), [(tiny_bert, "sequence-classification"), (tiny_llama, "causal-lm")])
def test_loss_and_gradients_are_those_of_the_fused_kernel(tmp_path, make, head):
    make(tmp_path / "m")
    config = {"num_labels": 3} if head != "causal-lm" else {}
    fused, plain = (model(tmp_path / "m", head, **config).eval() for _ in range(2))
    assert fused.config._attn_implementation == "sdpa"
    assert fit_attention(plain, [7, 12], CPU) == "plain products, faster than the fused kernel at 10 tokens a row"
    assert plain.config._attn_implementation == "eager"

    ids = torch.randint(10, 60, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    for one in (fused, plain):
        logits = one(input_ids=ids, attention_mask=mask).logits
        # Places behind the end of a row carry no loss; what the kernels leave there is theirs to choose.
        (logits if logits.ndim == 2 else logits[mask.bool()]).square().sum().backward()
    for (name, expected), actual in zip(fused.named_parameters(), plain.parameters(), strict=True):
        if expected.grad is None:
            assert actual.grad is None, name
        else:
            torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_long_rows_keep_the_fused_kernel(tmp_path):
    tiny_llama(tmp_path / "m")
    subject = model(tmp_path / "m", "causal-lm")
    assert fit_attention(subject, [10] * 50 + [400] * 50, CPU) is None
    assert subject.config._attn_implementation == "sdpa"


def test_adapters_are_looked_through_and_nets_without_attention_left_alone(tmp_path):
    tiny_llama(tmp_path / "m")
    adapted = apply_method(model(tmp_path / "m", "causal-lm"), MethodSection(name="lora"))
    assert fit_attention(adapted, [8], CPU)
    tiny_image_model(tmp_path / "i")
    fit_attention(model(tmp_path / "i", "image-classification"), [1], CPU)


def test_other_devices_keep_what_they_have(tmp_path):
    tiny_llama(tmp_path / "m")
    assert fit_attention(model(tmp_path / "m", "causal-lm"), [8], torch.device("cuda")) is None
