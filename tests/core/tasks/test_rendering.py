# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import shutil

import pytest

from tunesmith import models
from tunesmith.errors import ModelError, NotFoundError, PluginError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.registry import get_registry
from tunesmith.tasks import open_task, save_task
from tunesmith.tasks.causal_lm import CausalLM
from tunesmith.tasks.chat import Chat
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.question_answering import QuestionAnswering
from tunesmith.tasks.rendering import task_name
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.tasks.token_classification import TokenClassification


@pytest.fixture
def folder(llama, tmp_path):
    """A copy of the small decoder, to write into."""
    shutil.copytree(llama.folder, tmp_path / "m")
    return ModelSource(name="m", kind="folder", folder=tmp_path / "m")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TextClassification, "tunesmith/text-classification"),
        (CausalLM, "tunesmith/causal-lm"),
        (Chat, "tunesmith/chat"),
        (ImageClassification, "tunesmith/image-classification"),
        (TokenClassification, "tunesmith/token-classification"),
        (QuestionAnswering, "tunesmith/question-answering"),
    ],
)
def test_built_in_tasks_know_their_names(kind, name, data):
    assert task_name(kind(data())) == name


def test_a_task_nobody_registered_cannot_be_saved(data):
    class Mine(CausalLM):
        """Inherits everything but the name."""

    with pytest.raises(PluginError, match=r"Mine is not registered(.|\n)*tunesmith_tasks"):
        task_name(Mine(data()))


def test_what_is_saved_is_opened_again(folder, data):
    task = CausalLM(data(max_length=32))
    task.fit([])
    task.build(folder)
    file = save_task(task, folder.folder)
    assert file.name == "rendering.json"
    content = json.loads(file.read_text())
    assert content == {"format": 1, "task": "tunesmith/causal-lm", "state": task.state()}
    again, model = open_task(folder, get_registry())
    assert type(again) is CausalLM
    assert again.state() == task.state()
    assert model.config.model_type == "llama"


@pytest.mark.parametrize(
    ("head", "kind"), [("token-classification", TokenClassification), ("question-answering", QuestionAnswering)]
)
def test_heads_over_tokens_are_opened_as_what_they_are(bert, tmp_path, head, kind):
    models.save_model(models.load_weights(bert, head), tmp_path / "m", models.load_tokenizer(bert))
    task, _ = open_task(ModelSource(name="m", kind="folder", folder=tmp_path / "m"), get_registry())
    assert type(task) is kind


def test_without_a_rendering_the_task_follows_from_the_architecture(folder, image_net, tmp_path, data):
    assert type(open_task(folder, get_registry())[0]) is Chat
    tokenizer = models.load_tokenizer(folder)
    tokenizer.chat_template = None
    models.save_model(models.load_weights(folder, "causal-lm"), tmp_path / "bare", tokenizer)
    bare = ModelSource(name="bare", kind="folder", folder=tmp_path / "bare")
    assert type(open_task(bare, get_registry())[0]) is CausalLM
    task, _ = open_task(image_net, get_registry())
    assert type(task) is ImageClassification
    assert task.labels == ("LABEL_0", "LABEL_1")
    assert task.settings.channels == 3


def test_a_hub_classifier_brings_its_labels(bert, tmp_path):
    config = {"num_labels": 2, "id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}}
    model = models.load_weights(bert, "sequence-classification", **config)
    models.save_model(model, tmp_path / "m", models.load_tokenizer(bert))
    task, _ = open_task(ModelSource(name="m", kind="folder", folder=tmp_path / "m"), get_registry())
    assert type(task) is TextClassification
    assert task.labels == ("no", "yes")


def test_an_encoder_without_a_head_has_no_task(bert):
    with pytest.raises(
        ModelError, match=r"no task is known for 'tiny-bert'(.|\n)*BertModel(.|\n)*train it on your data"
    ):
        open_task(bert, get_registry())


def test_an_untrained_model_has_no_answers():
    options = ScratchOptions(architecture="mlp", size=None, tokenizer="byte", vocabulary=256, context=8, seed=0)
    with pytest.raises(ModelError, match="'scratch:mlp' is an untrained model, so it has no answers"):
        open_task(ModelSource(name="scratch:mlp", kind="scratch", scratch=options), get_registry())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "holds list, not an object"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": 2}', r"has a format this version does not know(.|\n)*format 2(.|\n)*update tunesmith"),
        ('{"format": 1, "task": 3, "state": {}}', "does not say which task the model was trained for"),
        ('{"format": 1, "task": "tunesmith/chat", "state": {"max_length": "long"}}', "'max_length' cannot be used"),
        ('{"format": 1, "task": "tunesmith/chat", "state": {"chat_template": ""}}', "'chat_template' cannot be used"),
    ],
)
def test_a_damaged_rendering_is_an_error_with_words(folder, content, words):
    (folder.folder / "rendering.json").write_text(content)
    with pytest.raises(ModelError, match=words):
        open_task(folder, get_registry())


def test_a_task_of_a_missing_plugin_is_named(folder):
    (folder.folder / "rendering.json").write_text('{"format": 1, "task": "birds/songs", "state": {}}')
    with pytest.raises(NotFoundError, match=r"not installed here(.|\n)*birds/songs(.|\n)*install the plugin 'birds'"):
        open_task(folder, get_registry())
