# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import numpy as np
import pytest
import torch

from tunesmith.models import apply_method, find_model_by_name, load_weights
from tunesmith.recipe import MethodSection
from tunesmith.registry import get_registry
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.text import pad_right
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama
from tunesmith.training import attention

CPU = torch.device("cpu")


def items(lengths):
    draw = np.random.default_rng(0)
    return [Encoded({"input_ids": draw.integers(10, 60, n)}, length=n, targets=1, row=0) for n in lengths]


class Rows:
    @staticmethod
    def model_inputs(model, batch):
        return batch.inputs

    @staticmethod
    def collate(rows):
        ids = pad_right([row.features["input_ids"] for row in rows], 0)
        mask = pad_right([np.ones(row.length, np.int64) for row in rows], 0)
        return Batch(
            {"input_ids": ids, "attention_mask": mask, "of_no_forward": mask}, None, len(rows), int(mask.sum())
        )


def fit_attention(subject, lengths, device):
    return attention.fit_attention(subject, items(lengths), lengths, device, Rows())


def model(folder, head, **config):
    return load_weights(find_model_by_name(str(folder), get_registry()), head, **config)


@pytest.mark.parametrize(("make", "head"), [(tiny_bert, "sequence-classification"), (tiny_llama, "causal-lm")])
def test_loss_and_gradients_are_those_of_the_fused_kernel(tmp_path, make, head):
    make(tmp_path / "m")
    config = {"num_labels": 3} if head != "causal-lm" else {}
    fused, plain = (model(tmp_path / "m", head, **config).eval() for _ in range(2))
    assert fused.config._attn_implementation == "sdpa"
    assert fit_attention(plain, [7, 12], CPU) == "plain products, faster than the fused kernel at 10 tokens a row"
    assert plain.config._attn_implementation == "tunesmith_plain"

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


def test_a_model_that_answers_otherwise_with_our_products_gets_its_own(tmp_path, monkeypatch):
    tiny_llama(tmp_path / "m")
    subject = model(tmp_path / "m", "causal-lm")
    ours = attention.plain_attention.plain_attention
    wrong = lambda *given, **options: ours(*given, **{**options, "scaling": 5.0})  # noqa: E731 - a stand-in
    monkeypatch.setattr(attention.plain_attention, "plain_attention", wrong)
    assert fit_attention(subject, [7, 12], CPU)
    assert subject.config._attn_implementation == "eager"


def test_a_model_that_cannot_use_our_products_gets_its_own(tmp_path, monkeypatch):
    tiny_llama(tmp_path / "m")
    subject = model(tmp_path / "m", "causal-lm")

    def refuse(*_, **__):
        raise NotImplementedError("plain attention does not know softcap")

    monkeypatch.setattr(attention.plain_attention, "plain_attention", refuse)
    assert fit_attention(subject, [7, 12], CPU)
    assert subject.config._attn_implementation == "eager"
