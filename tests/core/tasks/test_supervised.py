# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import (
    Cohere2Config,
    Cohere2ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from tunesmith.tasks.supervised import IGNORED, _forward_takes, labelled_logits, summed_loss, token_losses

V = 61


def llama():
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=V,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
        )
    )


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=V, n_embd=16, n_layer=2, n_head=2, n_positions=32))


def gemma2():
    return Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=V,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            final_logit_softcapping=0.5,
        )
    )


def cohere2():
    return Cohere2ForCausalLM(
        Cohere2Config(
            vocab_size=V,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            logit_scale=3.0,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


@pytest.fixture(params=[llama, gpt2, gemma2, cohere2], ids=lambda make: make.__name__)
def model(request):
    torch.manual_seed(0)
    return request.param().eval()


@pytest.fixture
def batch():
    """Three rows of 9, 5 and 7 tokens, padded on the right; the prompt of the last has no labels."""
    torch.manual_seed(1)
    ids = torch.randint(3, V, (3, 9))
    labels = torch.randint(3, V, (3, 9))
    for row, length in enumerate((9, 5, 7)):
        ids[row, length:] = 0
        labels[row, length:] = IGNORED
    labels[2, :4] = IGNORED
    return ids, labels


def plain_loss(model, ids, labels):
    """The whole model, with an attention mask, logits everywhere."""
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 5, 7)):
        mask[row, length:] = 0
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def test_loss_and_gradients_equal_the_plain_models(model, batch):
    ids, labels = batch
    plain_loss(model, ids, labels).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    wanted = plain_loss(model, ids, labels).item()
    model.zero_grad()
    loss = summed_loss(model, {"input_ids": ids}, labels)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-4, msg=name)


def test_logits_are_made_only_where_there_is_a_label(model, batch):
    ids, labels = batch
    widths = []
    handle = model.get_output_embeddings().register_forward_hook(lambda _, __, out: widths.append(out.numel() // V))
    logits, wanted = labelled_logits(model, {"input_ids": ids}, labels)
    handle.remove()
    assert widths == [9 + 5 + 3]
    assert logits.shape == (9 + 5 + 3, V)
    assert torch.equal(wanted, labels[labels != IGNORED])


def test_a_model_that_takes_no_mask_gives_the_same(model, batch, monkeypatch):
    ids, labels = batch
    fast = summed_loss(model, {"input_ids": ids}, labels).item()
    monkeypatch.setattr("tunesmith.tasks.supervised._forward_takes", lambda forward: (False, True))
    assert summed_loss(model, {"input_ids": ids}, labels).item() == pytest.approx(fast, rel=1e-6)


def test_losses_per_row_add_up(model, batch):
    ids, labels = batch
    sums, counts, right = token_losses(model, {"input_ids": ids}, labels)
    assert counts.tolist() == [9, 5, 3]
    assert sums.sum().item() == pytest.approx(summed_loss(model, {"input_ids": ids}, labels).item(), rel=1e-6)
    top = model(input_ids=ids).logits.argmax(-1)
    assert right.tolist() == [int((top[row] == labels[row]).sum()) for row in range(3)]


def test_adapters_and_wrappers_keep_the_fast_path(batch):
    from peft import LoraConfig, get_peft_model

    ids, labels = batch
    torch.manual_seed(0)
    inner = llama().eval()
    expected = summed_loss(inner, {"input_ids": ids}, labels).item()
    adapted = get_peft_model(inner, LoraConfig(r=2, target_modules=["q_proj"])).eval()
    seen = []
    inner.lm_head.register_forward_hook(lambda _, __, out: seen.append(out.dim()))
    assert summed_loss(adapted, {"input_ids": ids}, labels).item() == pytest.approx(expected, rel=1e-6)
    assert seen == [2]


def test_a_forward_that_only_takes_a_number_is_told_apart():
    def forward(self, input_ids, logits_to_keep=0):
        """As older models: a number of last places."""

    assert _forward_takes(forward) == (False, False)
