# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import copy

import numpy as np
import pytest
import torch
import transformers

from tunesmith.recipe.schema import TrainSection
from tunesmith.tasks.base import Encoded
from tunesmith.training import vocabulary
from tunesmith.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tunesmith.training.masters import full_precision
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.vocabulary import OccurringRows, train_occurring_rows

V = 60
OCCUR = [3, 5, 8, 13, 21, 34, 55]


@pytest.fixture(autouse=True)
def _worth_it(monkeypatch):
    monkeypatch.setattr(vocabulary, "WORTH_IT", 1)


def bert(**changes):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=V,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        num_labels=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **changes,
    )
    return transformers.BertForSequenceClassification(config).train()


def items(tokens=OCCUR):
    return [
        Encoded({"input_ids": np.asarray([one, tokens[0]])}, length=2, targets=1, row=row)
        for row, one in enumerate(tokens)
    ]


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        ids = torch.tensor(OCCUR)[torch.randint(len(OCCUR), (4, 6), generator=generator)]
        mask = torch.ones_like(ids)
        ids[0, 4:], mask[0, 4:] = 0, 0  # padding
        yield {"input_ids": ids, "attention_mask": mask}, torch.randint(3, (4,), generator=generator)


def train(model, optimizer, count, seed=0):
    losses = []
    for inputs, labels in batches(count, seed):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits.float(), labels)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2
        optimizer.step()
        optimizer.zero_grad()
        losses.append((loss.item(), norm.item()))
    return losses


def test_training_gives_the_weights_of_the_whole_table():
    whole, some = bert(), bert()
    sentence = train_occurring_rows(some, items(), "input_ids")
    assert sentence == "7 of 60 tokens occur; the vectors of the others stay as they are"
    section = TrainSection(weight_decay=0.0)
    expected = train(whole, make_optimizer(whole, section), 20)
    found = train(some, make_optimizer(some, section), 20)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=0)
    assert some.state_dict().keys() == whole.state_dict().keys()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(some.state_dict()[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_vectors_that_do_not_occur_are_not_touched_and_have_no_state():
    model = bert()
    before = model.get_input_embeddings().weight.detach().clone()
    train_occurring_rows(model, items(), "input_ids")
    optimizer = make_optimizer(model, TrainSection(weight_decay=0.5))
    train(model, optimizer, 3)
    after = model.get_input_embeddings().folded()
    same = (before == after).all(1)
    assert same.sum() == V - len(OCCUR)
    assert not same[OCCUR].any()
    embedding = model.get_input_embeddings()
    assert embedding.weight not in optimizer.state
    assert optimizer.state[embedding.rows]["exp_avg"].shape == (len(OCCUR), 16)


def test_evaluation_knows_every_token():
    model = bert()
    train_occurring_rows(model, items(), "input_ids")
    train(model, make_optimizer(model, TrainSection()), 3)
    plain = bert()
    plain.load_state_dict(model.state_dict())
    ids = torch.arange(V)[None, :20]
    with torch.no_grad():
        assert torch.equal(model.eval()(input_ids=ids).logits, plain.eval()(input_ids=ids).logits)


def test_a_token_that_was_not_announced_is_read_and_learns_nothing():
    model = bert()
    train_occurring_rows(model, items(), "input_ids")
    embedding = model.get_input_embeddings()
    vectors = embedding(torch.tensor([[3, 4]]))
    assert torch.equal(vectors[0, 1], embedding.weight[4])
    vectors.sum().backward()
    assert embedding.weight.grad is None
    assert embedding.rows.grad[0].any()


@pytest.mark.parametrize("precision", ["fp32", "bf16-weights"])
def test_a_checkpoint_goes_on_bit_for_bit_and_the_model_is_saved_whole(tmp_path, precision):
    def made():
        model = bert()
        train_occurring_rows(model, items(), "input_ids")
        return model, make_optimizer(model, TrainSection(precision=precision))

    model, optimizer = made()
    train(model, optimizer, 4)
    path = save_checkpoint(tmp_path / "c", model=model, optimizer=optimizer, progress=Progress(step=4), keep=1)
    expected = train(model, optimizer, 4, seed=1)
    other, other_optimizer = made()
    load_checkpoint(path, model=other, optimizer=other_optimizer)
    assert train(other, other_optimizer, 4, seed=1) == expected
    with full_precision(optimizer):
        model.save_pretrained(tmp_path / "m")
        trained = copy.deepcopy(model.state_dict())
    again = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "m")
    for name, value in again.state_dict().items():
        assert torch.equal(value, trained[name]), name


def test_shared_tables_move_as_a_whole():
    config = transformers.LlamaConfig(
        vocab_size=V,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config)
    assert train_occurring_rows(model, items(), "input_ids") is None
    assert not isinstance(model.get_input_embeddings(), OccurringRows)


def test_nothing_is_done_where_nothing_is_gained(monkeypatch):
    assert train_occurring_rows(bert(), items(), None) is None
    frozen = bert()
    frozen.requires_grad_(False)
    assert train_occurring_rows(frozen, items(), "input_ids") is None
    monkeypatch.setattr(vocabulary, "WORTH_IT", 17)  # one vector has 16 numbers
    assert train_occurring_rows(bert(), items(list(range(1, V))), "input_ids") is None
    assert train_occurring_rows(bert(), items(list(range(2, V))), "input_ids") is not None
