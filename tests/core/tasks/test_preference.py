# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import ModelError
from tunesmith.models import apply_method, find_model_by_name, save_model
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import MethodSection, ObjectiveSection
from tunesmith.registry import get_registry
from tunesmith.tasks.objectives import ChosenObjective
from tunesmith.tasks.preference import Judged, Preference
from tunesmith.tasks.preference_losses import Dpo, dpo_losses, ipo_losses, orpo_losses
from tunesmith.tasks.preference_report import preference_scores, share_first, share_greater
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.testing import tiny_llama

CPU = torch.device("cpu")
ROWS = (
    {"prompt": "Hi", "chosen": "Hello!", "rejected": "Go away, please"},
    {"messages": [{"role": "user", "content": "1 + 1"}], "chosen": "2", "rejected": "11"},
    {
        "prompt": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "and then?"},
        ],
        "chosen": "c",
        "rejected": "",
    },
)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return find_model_by_name(str(tiny_llama(tmp_path_factory.mktemp("start") / "m")), get_registry())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))


def ready(source, section, rows=ROWS, held_out=(), method="full", **objective):
    """A task as training has it at its first step; the model stands a little beside where it started."""
    task = Preference(section)
    task.choose_objective(ObjectiveSection(**objective))
    examples = [task.parse(Row(values, Origin("pairs.jsonl", i + 1))) for i, values in enumerate(rows)]
    task.fit(examples)
    model = apply_method(task.build(source), MethodSection(name=method))
    items = task.encode_all(examples)
    splits = {"train": items, "validation": task.encode_all([task.parse(Row(v, Origin("v", 1))) for v in held_out])}
    task.before_training(model, splits, device=CPU, precision="fp32")
    before = copy.deepcopy(model)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    return task, model, before, examples, items


def logprob(task, model, messages, answer):
    """Plainly: the whole conversation through the model, log-softmax everywhere, the answer's tokens summed."""
    prompt = task.prompt_tokens(messages)
    whole = task.chat.template.render([*messages, answer])[-1].ids.astype(np.int64)
    assert whole[: len(prompt)].tolist() == prompt
    logits = model(input_ids=torch.from_numpy(whole[None])).logits[0].log_softmax(-1)
    return sum(logits[place - 1, whole[place]] for place in range(len(prompt), len(whole))), len(whole) - len(prompt)


def pairs(task, model, examples):
    with torch.no_grad():
        rows = [[logprob(task, model, e.messages, answer) for answer in (e.chosen, e.rejected)] for e in examples]
    logprobs = torch.tensor([[float(value) for value, _ in row] for row in rows])
    return logprobs, torch.tensor([[count for _, count in row] for row in rows])


def test_dpo_is_two_models_and_a_formula(llama, data):
    task, model, before, examples, items = ready(llama, data(), beta=0.2, label_smoothing=0.1)
    policy, _ = pairs(task, model, examples)
    reference, _ = pairs(task, before, examples)
    ratios = policy - reference
    gap = 0.2 * (ratios[:, 0] - ratios[:, 1])
    expected = -(0.9 * torch.log(torch.sigmoid(gap)) + 0.1 * torch.log(torch.sigmoid(-gap)))
    assert task.loss(model, task.collate(items)).item() == pytest.approx(expected.sum().item(), rel=1e-4)
    assert ratios.abs().max() > 0.1, "the test would not tell the two models apart"


def test_at_the_start_the_loss_is_that_of_a_coin(llama, data):
    task, _, before, _, items = ready(llama, data())
    assert task.loss(before, task.collate(items)).item() == pytest.approx(len(ROWS) * math.log(2), rel=1e-5)


def test_ipo_and_orpo_by_their_formulas(llama, data):
    task, model, before, examples, items = ready(llama, data(), name="ipo", beta=0.5)
    policy, counts = pairs(task, model, examples)
    reference, _ = pairs(task, before, examples)
    per_token = (policy - reference) / counts
    expected = ((per_token[:, 0] - per_token[:, 1] - 1) ** 2).sum()
    assert task.loss(model, task.collate(items)).item() == pytest.approx(expected.item(), rel=1e-4)

    task, model, _, examples, items = ready(llama, data(), name="orpo", beta=0.3)
    share = (pairs(task, model, examples)[0] / counts).double().exp()
    odds = share / (1 - share)
    expected = -share[:, 0].log() - 0.3 * torch.log(torch.sigmoid(torch.log(odds[:, 0] / odds[:, 1])))
    assert task.loss(model, task.collate(items)).item() == pytest.approx(expected.sum().item(), rel=1e-4)
    assert "reference" not in " ".join(task.notes), "orpo has no reference, so none is computed"


def test_kto_by_its_formula_and_in_parts(llama, data):
    rows = [
        {"prompt": "Hi", "completion": "Hello!", "label": True},
        {"prompt": "Bye", "completion": "What?", "label": "false"},
        ROWS[0],
    ]
    task, model, before, examples, items = ready(llama, data(), rows, name="kto", beta=0.4, undesirable_weight=2.0)
    assert [item.row for item in items] == [0, 1, 2, 2], "a pair is a good answer and a bad one"
    answers = [(e, a, a is e.chosen) for e in examples for a in (e.chosen, e.rejected) if a is not None]
    others = [examples[1].rejected, examples[2].chosen, examples[0].chosen, examples[0].chosen]
    with torch.no_grad():
        ratio = [
            logprob(task, model, e.messages, a)[0] - logprob(task, before, e.messages, a)[0] for e, a, _ in answers
        ]
        moved = [
            logprob(task, model, e.messages, other)[0] - logprob(task, before, e.messages, other)[0]
            for (e, _, _), other in zip(answers, others, strict=True)
        ]
    divergence = max(0.0, float(sum(moved)) / len(moved))
    expected = sum(
        1 - torch.sigmoid(0.4 * (r - divergence)) if good else 2 * (1 - torch.sigmoid(0.4 * (divergence - r)))
        for r, (_, _, good) in zip(ratio, answers, strict=True)
    )
    assert task.loss(model, task.collate(items)).item() == pytest.approx(float(expected), rel=1e-4)
    parts = [task.collate(items[:1]), task.collate(items[1:])]
    whole = task.coupled_loss([task.represent(model, part) for part in parts], parts)
    assert task.couples
    assert whole.item() == pytest.approx(float(expected), rel=1e-4)


def test_a_certain_answer_has_finite_odds():
    sure = torch.tensor([[0.0, -3.0]], requires_grad=True)
    loss = orpo_losses(sure, torch.ones(1, 2), beta=0.1).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(sure.grad).all()


@pytest.mark.parametrize("objective", ["dpo", "ipo", "orpo"])
def test_padding_and_parts_change_nothing(llama, data, objective):
    task, model, _, _, items = ready(llama, data(), name=objective)
    together = task.loss(model, task.collate(items))
    apart = sum(task.loss(model, task.collate([item])) for item in items)
    assert together.item() == pytest.approx(apart.item(), rel=1e-5)
    assert not task.couples


def test_only_the_last_answer_is_compared(llama, data):
    task, _, _, _, items = ready(llama, data())
    batch = task.collate(items)
    texts = [task.tokenizer.decode(row[row != -100]) for row in batch.labels]
    assert texts == ["Hello!<|end|>", "Go away, please<|end|>", "2<|end|>", "11<|end|>", "c<|end|>", "<|end|>"]


def test_rows_that_are_cut_or_left_out_are_counted(llama, data):
    rows = [
        ROWS[0],
        {"prompt": "x" * 60, "chosen": "a", "rejected": "b"},
        {"prompt": "x", "chosen": "y" * 60 + "a", "rejected": "y" * 60 + "b"},
        {"prompt": "x", "chosen": "same", "rejected": "same"},
    ]
    task, _, _, _, items = ready(llama, data(max_length=30), rows)
    assert [item.row for item in items] == [0]
    assert list(task.notes)[-3:] == [
        "2 of 4 rows truncated to 30 tokens (longest had 65)",
        "1 row skipped: no answer begins within 30 tokens",
        "2 rows skipped: chosen and rejected are the same answer, as far as they are read",
    ]


def test_an_answer_with_a_label_is_for_kto_alone(data):
    task = Preference(data())
    task.choose_objective(ObjectiveSection())
    with pytest.raises(RowError, match="is for objective kto; dpo needs chosen and rejected"):
        task.parse(Row({"prompt": "a", "completion": "b", "label": True}, Origin("x", 1)))


# ---- the reference -----------------------------------------------------------------------------------------------


def note_of(task):
    return next(note for note in task.notes if note.startswith("reference"))


def test_the_reference_is_computed_once_and_read_ever_after(start, data, tmp_path):
    first, _, _, _, items = ready(start, data())
    again, *_ = ready(start, data())
    keys = first.collate(items).extra["keys"].ravel().tolist()
    assert note_of(first) == "reference log-probabilities of 6 answers computed with the model as it is before training"
    assert note_of(again) == "reference log-probabilities of 6 answers read from the cache"
    assert again._reference.of(keys) == first._reference.of(keys)
    assert "computed" in note_of(ready(start, data(), ROWS[:2])[0]), "other rows are another entry"
    assert "computed" in note_of(ready(start, data(max_length=100))[0]), "so is another rendering"

    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.write_bytes(b"x" * len(file.read_bytes()))
    repaired, *_ = ready(start, data())
    assert "computed" in note_of(repaired), "what is damaged is made again"
    assert repaired._reference.of(keys) == first._reference.of(keys)


def test_nothing_is_kept_where_the_cache_is_off(start, data, monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_CACHE", "off")
    ready(start, data())
    assert "computed" in note_of(ready(start, data())[0])
    assert not (tmp_path / "cache").exists()


def saved(task, model, folder):
    save_model(model, folder, task.tokenizer)
    save_task(task, folder)
    return find_model_by_name(str(folder), get_registry())


@torch.inference_mode()
def judged(task, model, rows):
    items = task.encode_all([task.parse(Row(values, Origin("x", 1))) for values in rows])
    return task.outputs(model, task.collate(items))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_saved_model_knows_its_reference(start, data, tmp_path, method):
    task, model, _, _, _ = ready(start, data(), ROWS[:2], held_out=ROWS[2:], method=method)
    expected = judged(task, model, ROWS)
    source = saved(task, model, tmp_path / "m")
    loaded, module = open_task(source, get_registry())
    assert loaded.objective == task.objective
    assert len(loaded._reference._known) == 2, "the held-out row's two answers, and no others"
    for one, other in zip(judged(loaded, module, ROWS), expected, strict=True):
        assert one.reference == pytest.approx(other.reference, rel=1e-5)
        assert one.logprobs == pytest.approx(other.logprobs, rel=1e-5)


def test_without_its_first_model_it_scores_what_was_held_out_and_says_why_no_more(data, tmp_path):
    start = find_model_by_name(str(tiny_llama(tmp_path / "start")), get_registry())
    task, model, _, _, _ = ready(start, data(), ROWS[:2], held_out=ROWS[2:])
    source = saved(task, model, tmp_path / "m")
    tiny_llama(tmp_path / "start", seed=5)
    loaded, module = open_task(source, get_registry())
    judged(loaded, module, ROWS[2:])
    with pytest.raises(ModelError, match=r"reference model of these rows is not what it was[\s\S]*held out"):
        judged(loaded, module, ROWS[:1])


def test_it_chats_as_any_chat_model(start, data, tmp_path):
    import tunesmith

    task, model, _, _, _ = ready(start, data())
    saved(task, model, tmp_path / "m")
    loaded = tunesmith.load(tmp_path / "m", device="cpu")
    assert loaded.chats
    (answer,) = loaded.predict(["Hi"], max_new_tokens=4)
    assert answer["text"] == loaded.chat([{"role": "user", "content": "Hi"}], max_new_tokens=4, greedy=True)


# ---- figures -----------------------------------------------------------------------------------------------------


def dpo(**keys):
    return ChosenObjective(ObjectiveSection(name="dpo"), "tunesmith", Dpo(**keys))


def test_figures_by_hand():
    outputs = [
        Judged((-1.0, -2.0), (-2.0, -2.0), (2, 2), None),
        Judged((-4.0, -1.0), (-3.0, -1.0), (2, 2), None),
        Judged((-5.0, -5.0), (-5.0, -5.0), (2, 2), None),
    ]
    scores = preference_scores(dpo(beta=0.5), outputs)
    assert scores["accuracy"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert scores["margin"] == pytest.approx(0.0)
    assert scores["chosen_logprob"] == pytest.approx(-10 / 3)
    assert scores["rejected_logprob"] == pytest.approx(-8 / 3)
    gaps = torch.tensor([0.5, -0.5, 0.0])
    assert scores["loss"] == pytest.approx(-functional.logsigmoid(gaps).mean().item())


def test_single_answers_are_compared_all_with_all():
    assert share_greater(np.asarray([1.0, 2.0]), np.asarray([0.0, 2.0])) == (1 + 0 + 1 + 0.5) / 4
    assert share_greater(np.asarray([]), np.asarray([1.0])) == 0.5
    assert share_first(np.asarray([1.0, 0.0, -1.0, 3.0])) == (2 + 0.5) / 4


def test_losses_have_the_gradients_of_their_formulas():
    ratios = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: dpo_losses(r, beta=0.3, label_smoothing=0.2), ratios)
    assert torch.autograd.gradcheck(lambda r: ipo_losses(r, torch.full((5, 2), 3.0), beta=0.3), ratios)
    below = (-ratios.detach().abs() - 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: orpo_losses(p, torch.full((5, 2), 3.0), beta=0.3), below)


def test_a_source_without_a_digest_is_not_cached(llama, data, tmp_path):
    assert isinstance(llama, ModelSource)
    ready(llama, data())
    assert not (tmp_path / "cache").exists()


def test_rounding_is_no_preference():
    outputs = [Judged((-600.0002, -400.0001), (-600.0, -400.0), (9, 9), None)]
    assert preference_scores(dpo(), outputs)["accuracy"] == 0.5
