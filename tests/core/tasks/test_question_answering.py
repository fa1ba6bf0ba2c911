# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tunesmith import models
from tunesmith.data.rows import Origin, Row
from tunesmith.engine.items import run_items
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.question_answering import BEST, LONGEST_ANSWER, AnswerOutput, QuestionAnswering
from tunesmith.tasks.tally import can_tally

CPU = torch.device("cpu")
LONG = "smith lives in york. " * 6 + "john lives in new york. " + "smith lives in york. " * 6
ROWS = (
    ("who lives in the york?", "John lives in the York", ["John"]),
    ("where?", "John Smith lives in New York, in 北京.", ["New York", "York"]),
    ("who?", "Johnson lives in York", ["John"]),  # inside a word, but a token of its own
)


def row(question, context, answers, line=1) -> Row:
    found = [{"text": text, "answer_start": context.index(text)} for text in answers]
    return Row({"question": question, "context": context, "answers": found}, Origin("a.json", line))


def ready(source, section, rows=ROWS):
    task = QuestionAnswering(section)
    examples = [task.parse(row(*one, line=line)) for line, one in enumerate(rows, 1)]
    task.fit(examples)
    return task, task.build(source).eval(), examples, task.encode_all(examples)


@pytest.fixture(params=["llama", "bert", "bert_words"])
def source(request) -> ModelSource:
    return request.getfixturevalue(request.param)


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def answers(task, model, items, rows=8):
    return run_items(model, task, items, device=CPU, rows_per_batch=rows)


def test_padding_and_splitting_change_no_loss_and_no_gradient(source, data):
    task, model, _, items = ready(source, data())
    whole = task.loss(model, task.collate(items))
    whole.backward()
    padded = gradients(model)
    parts = torch.stack([task.loss(model, task.collate([item])) for item in items]).sum()
    parts.backward()
    assert whole.item() == pytest.approx(parts.item(), rel=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(padded[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_loss_is_the_plain_models_on_each_row(source, data):
    """Row by row: on a padded batch transformers' own loss counts padding as places of the answer."""
    task, model, _, items = ready(source, data())
    plain = 0.0
    for item in items:
        batch = task.collate([item])
        start, end = batch.labels[:, 0], batch.labels[:, 1]
        plain += model(**batch.inputs, start_positions=start, end_positions=end).loss.item()
    batch = task.collate(items)
    assert task.loss(model, batch).item() == pytest.approx(plain, rel=1e-5)
    assert (batch.targets, batch.rows) == (3, [0, 1, 2])


def test_inputs_are_the_tokenizers_own_and_places_point_at_the_answer(bert_words, data):
    task, _, _, items = ready(bert_words, data())
    batch = task.collate(items[:1])
    wanted = task.tokenizer(ROWS[0][0], ROWS[0][1], return_tensors="pt")
    assert torch.equal(batch.inputs["input_ids"], wanted["input_ids"])
    assert torch.equal(batch.inputs["token_type_ids"], wanted["token_type_ids"])
    for item, (_, context, texts) in zip(items, ROWS, strict=True):
        first, last = item.features["places"].tolist()
        span = item.features["span"]
        assert context[span[first, 0] : span[last, 1]] == texts[0]
    assert "1 row with several answers: the first is learned, any is right" in task.notes


def test_windows_hold_the_answer_or_point_at_the_first_token(source, data):
    rows = [("who?", LONG, ["john"]), *ROWS]
    task, model, examples, items = ready(source, data(max_length=48), rows)
    windows = [item for item in items if item.row == 0]
    assert len(windows) > 2
    assert all(item.length <= 48 for item in items)
    covered = {
        place for item in windows for start, end in item.features["span"].tolist() for place in range(start, end)
    }
    assert covered.issuperset(place for place, letter in enumerate(LONG) if not letter.isspace())
    held = 0
    for item in windows:
        first, last = item.features["places"].tolist()
        span = item.features["span"]
        if (first, last) != (0, 0):
            held += 1
            assert LONG[span[first, 0] : span[last, 1]].strip() == "john"
        else:
            start = LONG.index("john")
            inside = span[span[:, 1] > 0]
            assert not (inside[:, 0].min() <= start and start + 4 <= inside[:, 1].max())
    assert held >= 1
    assert any("rows read in windows of up to 48 tokens" in note for note in task.notes)
    figures = task.score(answers(task, model, items), [examples[item.row] for item in items])
    other = task.score(answers(task, model, items, rows=1), [examples[item.row] for item in items])
    assert figures == pytest.approx(other, rel=1e-5)


def test_long_rows_can_be_skipped_or_refused(bert, data):
    rows = [("who?", LONG, ["john"]), *ROWS]
    task, _, _, items = ready(bert, data(max_length=128, too_long="skip"), rows)
    assert {item.row for item in items} == {1, 2, 3}
    assert "1 of 4 rows skipped: longer than 128 tokens" in task.notes[0]
    with pytest.raises(DataError, match=r"a.json:1: \d+ tokens; at most 128 are allowed"):
        ready(bert, data(max_length=128, too_long="error"), rows)


def test_a_question_that_fills_the_input_is_cut_and_counted(bert, data):
    task, _, _, items = ready(bert, data(max_length=64), [("who " * 30 + "?", "John lives", ["John"]), *ROWS])
    assert all(item.length <= 64 for item in items)
    assert "1 question truncated to 32 tokens, half of the input" in task.notes
    with pytest.raises(ModelError, match=r"leaves no room for question and context(.|\n)*raise data.max_length"):
        ready(bert, data(max_length=6))


def test_answers_that_tokens_cannot_give_exactly_are_counted(bert_words, data):
    task, _, _, _ = ready(bert_words, data(), [("?", "Johnson lives", ["hnson"]), *ROWS])
    assert any("1 of 4 answers begin or end inside a token" in note for note in task.notes)


def test_an_answer_that_no_window_holds_is_counted(bert_words, data):
    task, _, _, items = ready(bert_words, data(max_length=32), [("who?", LONG, [LONG[:150]]), *ROWS])
    assert all(item.features["places"].tolist() == [0, 0] for item in items if item.row == 0)
    assert "1 answer whole in none of the windows: not learned" in task.notes


def output(*spans, nothing=-99.0, number=0):
    scores, starts, ends = zip(*spans, strict=True)
    return AnswerOutput(
        number, np.asarray(scores, dtype=np.float32), np.asarray(starts), np.asarray(ends), nothing, 0.0
    )


def test_the_best_span_of_all_windows_is_the_answer(data):
    task = QuestionAnswering(data())
    example = task.parse(row(*ROWS[1]))
    windows = [output((1.0, 0, 4), (0.5, 4, 10)), output((2.0, 19, 28), (1.5, 0, 4), (float("-inf"), 0, 0))]
    answer = task.answer_row(windows, example)  # " New York": white space at its ends is no part of it
    total = math.exp(2) + math.exp(1.5) + math.exp(0.5)  # John came twice: its better score counts
    assert answer == {"answer": "New York", "start": 20, "end": 28, "probability": pytest.approx(math.exp(2) / total)}
    assert task.score(windows, [example, example]) == {"f1": 1, "exact_match": 1, "loss": 0}


def test_no_answer_wins_when_its_score_is_greater_in_every_window(data):
    task = QuestionAnswering(data())
    task.unanswerable = True
    example = task.parse(row(*ROWS[1][:2], []))
    sure, unsure = output((1.0, 0, 4), nothing=5.0), output((2.0, 20, 28), nothing=1.0)
    assert task.answer_row([sure], example)["answer"] == ""
    assert task.answer_row([sure, unsure], example)["answer"] == "New York"
    given = task.answer_row([output((1.0, 0, 4), nothing=2.0)], example)
    assert given == {"answer": "", "start": None, "end": None, "probability": pytest.approx(math.e / (1 + math.e))}
    assert task.score([sure], [example])["exact_match"] == 1
    task.unanswerable = False  # a model that never saw such a question always answers
    assert task.answer_row([sure], example)["answer"] == "John"


def test_unanswerable_questions_are_learned_and_reported(bert_words, data):
    task, model, examples, items = ready(bert_words, data(), [*ROWS, ("why?", "John lives in York", [])])
    assert task.unanswerable
    assert items[3].features["places"].tolist() == [0, 0]
    outputs = answers(task, model, items)
    table, *_ = task.sections(outputs, examples)
    assert [line[:2] for line in table.rows] == [("with an answer", 3), ("without an answer", 1)]
    figures = task.score(outputs, examples)
    assert set(figures) == {metric.name for metric in task.metrics}


def test_the_report_shows_wrong_answers(data):
    task = QuestionAnswering(data())
    examples = [task.parse(row(*one)) for one in ROWS[:2]]
    outputs = [output((3.0, 0, 4)), output((3.0, 0, 4), number=1)]
    [table] = task.sections(outputs, examples)
    assert table.rows == [("where?", "New York / York", "John", 1.0, 0.0)]
    assert task.sections(outputs[:1], examples[:1]) == []


def test_the_longest_training_answer_bounds_the_search(bert, data):
    task, _, _, _ = ready(bert, data(), [("?", LONG, [LONG[:90].strip()]), *ROWS])
    assert task.longest_answer == len(LONG[:90].strip())
    assert ready(bert, data())[0].longest_answer == LONGEST_ANSWER


def test_questions_without_answers_are_predicted(source, data):
    task, model, _, _ = ready(source, data())
    example = task.parse(Row({"question": "who?", "context": ROWS[0][1]}, Origin("rows[0]")), labelled=False)
    items = task.encode(example, 0)
    batch = task.collate(items)
    assert batch.labels is None
    assert items[0].targets == batch.targets == 0
    outputs = answers(task, model, items)
    assert len(outputs[0].scores) <= BEST
    answer = task.answer_row(outputs, example)
    assert example.context[answer["start"] : answer["end"]] == answer["answer"] != ""
    assert 0 < answer["probability"] <= 1
    with pytest.raises(ValueError, match="no labels, so it has no loss"):
        task.loss(model, batch)
    with pytest.raises(ValueError, match="none of these rows has answers"):
        task.score(outputs, [example])


def test_a_context_that_is_nothing_to_the_tokenizer_has_no_answer(bert_words, data):
    task, model, _, _ = ready(bert_words, data())
    example = task.parse(Row({"question": "who?", "context": "\u200b"}, Origin("x")), labelled=False)
    assert task.answer_row(answers(task, model, task.encode(example, 0)), example)["answer"] == ""


def test_a_model_may_have_no_question_to_learn_without_answers(data):
    task = QuestionAnswering(data())
    with pytest.raises(DataError, match=r"none of the training questions has an answer(.|\n)*data.columns"):
        task.fit([task.parse(row("why?", "John", []))])
    examples = [task.parse(row(*one)) for one in ROWS]
    task.fit(examples)
    task.check([task.parse(row("why?", "John", [])), *examples], "test")
    assert "1 of 4 test questions have no answer" in task.notes[0]


def test_saved_and_restored_answers_are_identical(source, data, tmp_path):
    task, model, examples, items = ready(source, data(max_length=60))
    models.save_model(model, tmp_path / "m", task.tokenizer)
    again = QuestionAnswering(data())
    folder = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), folder).eval()
    assert again.state() == task.state()
    before, after = answers(task, model, items), answers(again, restored, again.encode_all(examples))
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one.scores, two.scores)
        assert np.array_equal(one.starts, two.starts)
    hub = QuestionAnswering(data())
    hub.restore({}, folder)
    assert (hub.longest_answer, hub.unanswerable) == (LONGEST_ANSWER, False)
    with pytest.raises(ModelError, match="'longest_answer' cannot be used"):
        hub.restore({"longest_answer": 0}, folder)


def test_from_scratch_the_tokenizer_is_learned_from_contexts_and_questions(data):
    options = ScratchOptions(architecture="bert", size=60_000, tokenizer="bpe", vocabulary=300, context=64, seed=0)
    source = ModelSource(name="scratch:bert", kind="scratch", scratch=options)
    task, model, _, _ = ready(source, data(), [("banana?", "ananas banana ananas", ["banana"])] * 2)
    assert len(task.tokenizer("banana")["input_ids"]) < len("banana")
    assert model.get_input_embeddings().num_embeddings == len(task.tokenizer)


def test_it_may_be_encoded_in_parts(data):
    assert can_tally(QuestionAnswering(data()))


@pytest.mark.parametrize(("file", "rows"), [("xquad/xquad.zh.json", 40), ("cmrc2018/cmrc2018_dev.json", 40)])
def test_a_model_that_is_always_right_scores_one_on_real_questions(bert_words, data, shared, file, rows):
    """Answers found by character come out of their tokens whole, also from windows."""
    from tunesmith.data.readers import squad
    from tunesmith.data.rows import ReadOptions

    task = QuestionAnswering(data(max_length=64))
    questions = list(squad.read(shared / "data" / file, ReadOptions()))[:rows]
    examples = [example for one in questions if len((example := task.parse(one)).learned.text) <= 15]
    task.fit(examples)
    task.build(bert_words)
    outputs, aligned = [], []
    for item in task.encode_all(examples):
        first, last = item.features["places"].tolist()
        span = item.features["span"]
        score = 1.0 if last else 0.0
        outputs.append(output((score, span[first, 0], span[last, 1]), number=item.row))
        aligned.append(examples[item.row])
    figures = task.score(outputs, aligned)
    assert len(examples) > 20
    assert figures["exact_match"] == figures["f1"] == 1


def test_a_llama_is_found_under_its_usual_name_and_saved_as_transformers_opens_it(llama, data, tmp_path):
    """``LlamaForQuestionAnswering`` calls its body ``transformer``; every checkpoint of a Llama calls it ``model``."""
    from transformers import LlamaForQuestionAnswering

    task, model, _, items = ready(llama, data())
    body = models.load_weights(llama, "causal-lm").model.state_dict()
    assert all(torch.equal(body[name], weight) for name, weight in model.transformer.state_dict().items())
    models.save_model(model, tmp_path / "m", task.tokenizer)
    plain, info = LlamaForQuestionAnswering.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    batch = task.collate(items)
    assert torch.equal(plain.eval()(**batch.inputs).start_logits, model(**batch.inputs).start_logits)
