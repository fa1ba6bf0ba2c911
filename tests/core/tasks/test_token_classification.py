# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith import models
from tunesmith.data.rows import Origin, Row
from tunesmith.engine.items import run_items
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.tally import can_tally
from tunesmith.tasks.token_classification import IGNORED, TagOutput, TokenClassification

ROWS = (
    ("John Smith lives in New York", "B-per I-per O O B-loc I-loc"),
    ("in York", "O B-loc"),
    ("Johnson !", "B-per O"),
    ("The @johnsmith is in 北 京 .", "O B-per O O B-loc I-loc O"),
)
CPU = torch.device("cpu")


def row(line=1, **values) -> Row:
    return Row(values, Origin("train.conll", line))


def examples_of(task, rows=ROWS):
    return [
        task.parse(row(line, tokens=words.split(), tags=tags.split())) for line, (words, tags) in enumerate(rows, 2)
    ]


def ready(source, section, rows=ROWS):
    task = TokenClassification(section)
    examples = examples_of(task, rows)
    task.fit(examples)
    return task, task.build(source).eval(), examples, task.encode_all(examples)


@pytest.fixture(params=["llama", "bert", "bert_words"])
def source(request) -> ModelSource:
    return request.getfixturevalue(request.param)


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def answers(task, model, items, **size):
    return run_items(model, task, items, device=CPU, **(size or {"rows_per_batch": 8}))


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


def test_loss_is_the_plain_models_summed_cross_entropy(source, data):
    task, model, _, items = ready(source, data())
    batch = task.collate(items)
    plain = model(**batch.inputs, labels=batch.labels).loss * batch.targets
    assert task.loss(model, batch).item() == pytest.approx(plain.item(), rel=1e-5)
    assert batch.targets == sum(len(tags.split()) for _, tags in ROWS)
    assert batch.tokens == sum(item.length for item in items)


def test_inputs_are_the_tokenizers_own_and_labels_stand_at_first_tokens(bert_words, data):
    task, _, examples, items = ready(bert_words, data())
    batch = task.collate(items[2:3])
    wanted = task.tokenizer(list(examples[2].words), is_split_into_words=True, return_tensors="pt")
    assert torch.equal(batch.inputs["input_ids"], wanted["input_ids"])
    assert task.tokenizer.convert_ids_to_tokens(batch.inputs["input_ids"][0].tolist()) == [
        *("[CLS]", "john", "##son", "!", "[SEP]")
    ]
    tags = [task.labels[label] if label != IGNORED else None for label in batch.labels[0].tolist()]
    assert tags == [None, "B-per", None, "O", None]


def test_every_word_of_a_long_row_is_learned_and_answered_once(source, data):
    many = 40
    rows = [*ROWS, (" ".join(["john", "smith"] * many), " ".join(["B-per", "I-per"] * many))]
    task, model, examples, items = ready(source, data(max_length=24), rows)
    windows = [item for item in items if item.row == 4]
    assert len(windows) > 3
    assert all(item.length <= 24 for item in items)
    words = [word for item in windows for word in item.features["word"].tolist() if word >= 0]
    assert words == list(range(2 * many))
    assert sum(item.targets for item in windows) == 2 * many
    outputs = answers(task, model, windows)
    answer = task.answer_row(outputs, examples[4])
    assert len(answer["tags"]) == len(answer["probabilities"]) == 2 * many
    over = len({item.row for item in items if [one.row for one in items].count(item.row) > 1})
    assert any(note.startswith(f"{over} of 5 rows read in windows of up to 24 tokens") for note in task.notes)


def test_a_word_longer_than_a_window_is_answered_once(llama, data):
    task, model, examples, items = ready(llama, data(max_length=16), [("a " + "x" * 200 + " b", "O B-per O"), ROWS[0]])
    assert [w for item in items if item.row == 0 for w in item.features["word"].tolist() if w >= 0] == [0, 1, 2]
    assert all(item.targets for item in items)
    assert len(task.answer_row(answers(task, model, [i for i in items if i.row == 0]), examples[0])["tags"]) == 3


def test_long_rows_can_be_skipped_or_refused(bert, data):
    task, _, _, items = ready(bert, data(max_length=8, too_long="skip"))
    assert [item.row for item in items] == [1]
    assert task.notes == ("3 of 4 rows skipped: longer than 8 tokens (longest had 28)",)
    with pytest.raises(DataError, match=r"train.conll:2: 28 tokens; at most 8 are allowed"):
        ready(bert, data(max_length=8, too_long="error"))


def test_a_window_must_have_room_for_words(bert_words, data):
    with pytest.raises(ModelError, match=r"leaves no room for words(.|\n)*3 tokens, of which .* puts 2 around a text"):
        ready(bert_words, data(max_length=3))


def test_figures_do_not_depend_on_batches_and_come_from_whole_rows(bert_words, data):
    task, model, examples, items = ready(bert_words, data(max_length=8))
    assert len(items) > len(examples)
    aligned = [examples[item.row] for item in items]
    one, other = (task.score(answers(task, model, items, rows_per_batch=size), aligned) for size in (1, 8))
    assert one == pytest.approx(other, rel=1e-6)
    assert set(one) == {metric.name for metric in task.metrics}


def perfect(task, examples):
    """Outputs of a model that is always right."""
    return [
        TagOutput(
            number,
            np.arange(len(example.words), dtype=np.int32),
            np.asarray([task._index[tag] for tag in example.tags], dtype=np.int32),
            np.ones(len(example.words), dtype=np.float32),
            0.0,
        )
        for number, example in enumerate(examples)
    ]


def test_scores_and_report_by_hand(bert, data):
    task, _, examples, _ = ready(bert, data())
    outputs = perfect(task, examples)
    assert task.score(outputs, examples) == {"f1": 1, "precision": 1, "recall": 1, "accuracy": 1, "loss": 0}
    [table] = task.sections(outputs, examples)
    assert table.rows == [("loc", 1, 1, 1, 3, 3), ("per", 1, 1, 1, 3, 3)]
    outputs[0].tags[4] = task._index["O"]  # "O I-loc": York alone is found, an illegal tag that begins an entity
    figures = task.score(outputs, examples)
    assert figures["precision"] == figures["recall"] == figures["f1"] == pytest.approx(5 / 6)
    assert figures["accuracy"] == pytest.approx(16 / 17)
    _, worst = task.sections(outputs, examples)
    assert worst.rows == [("John Smith lives in New York", "New York (loc)", "York (loc)", 0.0)]


def test_a_text_is_answered_with_places_in_characters(bert, data):
    task = TokenClassification(data())
    text = "Johnson lives in New  York."
    rows = [row(text=text, entities=[[0, 7, "per"], [17, 26, "loc"]]), row(text="I am", entities=[])]
    examples = [task.parse(one) for one in rows]
    task.fit(examples)
    assert task.labels == ("B-loc", "B-per", "I-loc", "I-per", "O")
    [output, _] = perfect(task, examples)
    assert task.answer_row([output], task.parse(row(text=text), labelled=False)) == {
        "entities": [
            {"text": "Johnson", "label": "per", "start": 0, "end": 7, "probability": 1.0},
            {"text": "New  York", "label": "loc", "start": 17, "end": 26, "probability": 1.0},
        ]
    }


def test_words_are_answered_with_tags_and_places_in_words(bert, data):
    task, _, examples, _ = ready(bert, data())
    outputs = perfect(task, examples)
    answer = task.answer_row(outputs[:1], examples[0])
    assert answer["tags"] == ROWS[0][1].split()
    assert answer["entities"][1] == {"text": "New York", "label": "loc", "start": 4, "end": 6, "probability": 1.0}
    assert task.answer_row(outputs[3:], examples[3])["entities"][1]["text"] == "北京"


def test_tags_without_prefixes_are_counted_by_word_and_said_so(bert, data):
    task, model, examples, items = ready(bert, data(), [("the cat sat", "DET NOUN VERB"), ("a dog", "DET NOUN")])
    assert "the tags have no prefixes such as B- and I-" in task.notes[0]
    figures = task.score(answers(task, model, items), examples)
    assert figures["f1"] == figures["accuracy"]
    text = task.parse(row(text="a cat"), labelled=False)
    answer = task.answer_row(answers(task, model, task.encode(text, 0)), text)
    assert [(one["text"], one["start"], one["end"]) for one in answer["tokens"]] == [("a", 0, 1), ("cat", 2, 5)]
    assert "entities" not in task.answer_row(answers(task, model, items[:1]), examples[0])


def test_a_text_is_read_as_its_words_were(llama, data):
    """A model that learned from words one by one meets the same tokens in a text that is written without spaces."""
    task, _, _, _ = ready(llama, data())
    words = task.parse(row(tokens=["(", "York", ")", "北", "京"]), labelled=False)
    text = task.parse(row(text="(York)北京"), labelled=False)
    assert words.words == text.words
    one, other = (task.encode(example, 0)[0].features["input_ids"].tolist() for example in (words, text))
    assert one == other
    assert task.tokenizer.decode(one) == "( York )北京"


def test_a_prefix_that_one_type_lacks_in_training_is_no_error_later(bert, data):
    task, _, _, _ = ready(bert, data(), [("a b c", "B-x O B-y"), ("a b", "B-y I-y")])
    task.check([task.parse(row(tokens=["a", "b"], tags=["B-x", "I-x"]))], "test")
    strange = task.parse(row(9, tokens=["a"], tags=["B-z"]))
    with pytest.raises(DataError, match=r"the test rows have a label that training never saw(.|\n)*:9: label 'B-z'"):
        task.check([strange], "test")
    with pytest.raises(DataError, match="training never saw"):
        task.encode(strange, 0)


def test_one_tag_is_nothing_to_learn(data):
    task = TokenClassification(data())
    with pytest.raises(DataError, match=r"the only row has the label 'O'"):
        task.fit(examples_of(task, [("a b", "O O")]))


def test_words_the_tokenizer_leaves_nothing_of_are_counted(bert_words, data):
    task, model, examples, items = ready(bert_words, data(), [*ROWS, ("york \u200b \u200b", "B-loc O O")])
    assert "2 of 20 words read as the unknown token: the tokenizer leaves nothing of them" in task.notes
    assert items[4].targets == 3
    task.tokenizer.unk_token = None
    [item] = task.encode(examples[4], 4)
    assert item.targets == 1
    assert any("without a token" in note for note in task.notes)
    assert task.answer_row(answers(task, model, [item]), examples[4])["tags"][1:] == ["O", "O"]


def test_rows_without_tags_are_predicted(source, data):
    task, model, _, _ = ready(source, data())
    items = task.encode_all([task.parse(row(text="John in York"), labelled=False)])
    batch = task.collate(items)
    assert batch.labels is None
    assert items[0].targets == batch.targets == 0
    [output] = answers(task, model, items)
    assert output.loss is None
    assert len(output.words) == 3
    with pytest.raises(ValueError, match="no labels, so it has no loss"):
        task.loss(model, batch)
    with pytest.raises(ValueError, match="none of these rows has tags"):
        task.score([output], [task.parse(row(text="John in York"), labelled=False)])


def test_saved_and_restored_answers_are_identical(source, data, tmp_path):
    task, model, examples, items = ready(source, data(max_length=20))
    models.save_model(model, tmp_path / "m", task.tokenizer)
    again = TokenClassification(data())
    folder = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), folder).eval()
    assert again.state() == task.state()
    before, after = answers(task, model, items), answers(again, restored, again.encode_all(examples))
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one.probabilities, two.probabilities)
        assert np.array_equal(one.tags, two.tags)
    hub = TokenClassification(data())
    hub.restore({}, folder)
    assert (hub.labels, hub.prefixes) == (task.labels, True)
    with pytest.raises(ModelError, match="the tags saved with 'm' cannot be used"):
        hub.restore({"labels": "O"}, folder)


def test_from_scratch_the_tokenizer_is_learned_from_the_words(data):
    options = ScratchOptions(architecture="bert", size=60_000, tokenizer="bpe", vocabulary=300, context=64, seed=0)
    source = ModelSource(name="scratch:bert", kind="scratch", scratch=options)
    task, model, _, _ = ready(source, data(), [("banana banana", "O B-x"), ("ananas banana nana", "O O B-x")])
    assert len(task.tokenizer(" banana")["input_ids"]) < len(" banana")
    assert model.config.id2label == {0: "B-x", 1: "I-x", 2: "O"}
    assert task._training is None


def test_it_may_be_encoded_in_parts(data):
    assert can_tally(TokenClassification(data()))


tagged = st.lists(st.tuples(st.text("johnsit .-北", min_size=1), st.sampled_from(["O", "B-x", "I-x"])), min_size=1)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(tagged, min_size=2, max_size=4), limit=st.integers(6, 20))
def test_whatever_the_words_each_is_learned_once(bert_words, rows, limit):
    from tunesmith.recipe.schema import DataSection

    task = TokenClassification(DataSection(train=["x"], max_length=limit))
    examples = [task.parse(row(tokens=[w for w, _ in one], tags=[t for _, t in one])) for one in rows]
    task._set_labels(("B-x", "I-x", "O"))
    task.build(bert_words)
    items = task.encode_all(examples)
    for number, example in enumerate(examples):
        places = [
            (word, task.labels[label])
            for item in items
            if item.row == number
            for word, label in zip(item.features["word"].tolist(), item.features["label"].tolist(), strict=True)
            if word >= 0
        ]
        assert places == list(enumerate(example.tags))


def test_real_sentences_of_wnut17(bert, data, shared):
    from tunesmith.data.readers import conll
    from tunesmith.data.rows import ReadOptions

    file = shared / "data/wnut17/emerging.dev.conll"
    task = TokenClassification(data())
    examples = [task.parse(one) for one in list(conll.read(file, ReadOptions()))[:100]]
    task.fit(examples)
    model = task.build(bert).eval()
    items = task.encode_all(examples)
    batch = task.collate(items[:8])
    assert task.loss(model, batch).item() / batch.targets == pytest.approx(np.log(len(task.labels)), rel=0.3)
    assert task.score(perfect(task, examples), examples)["f1"] == 1
