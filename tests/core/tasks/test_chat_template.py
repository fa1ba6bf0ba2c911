# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tunesmith import models
from tunesmith.data.conversations import Message
from tunesmith.errors import ModelError
from tunesmith.tasks.chat_template import PLAIN_TEMPLATE, ChatTemplate

TALK = (
    Message("system", "Be brief."),
    Message("user", "Hi, who are you?"),
    Message("assistant", "A parrot."),
    Message("user", "Prove it!"),
    Message("assistant", "Squawk 🦜"),
)

CHATML = (
    "{% for m in messages %}{{ '<|user|>' + m['role'] + '\n' + m['content'] + '<|end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|user|>assistant\n' }}{% endif %}"
)
FORGETS = (  # as templates of reasoning models: thoughts of the last answer only
    "{% for m in messages %}{{ '<|user|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}"
    "{{ m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|user|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def tokenizer(llama):
    return models.load_tokenizer(llama)


def answers(template, rendered):
    """The supervised pieces of text."""
    pieces, piece = [], []
    for token, on in zip([*rendered.ids.tolist(), 0], [*rendered.supervised.tolist(), False], strict=True):
        if on:
            piece.append(token)
        elif piece:
            pieces.append(template.tokenizer.decode(piece))
            piece = []
    return pieces


def check(template, end, before=""):
    """What must hold of every template on TALK."""
    (rendered,) = template.render(TALK)
    assert answers(template, rendered) == [before + "A parrot." + end, before + "Squawk 🦜" + end]
    assert rendered.ids[-1] == template.stop
    assert rendered.supervised[-1]
    first = int(rendered.supervised.argmax())
    assert rendered.ids[:first].tolist() == template.prompt_tokens(TALK[:2]), "training and serving must see one prompt"
    last = len(rendered.ids) - rendered.supervised[::-1].argmin()
    assert rendered.ids[:last].tolist() == template.prompt_tokens(TALK[:4])
    assert not rendered.merged


def test_template_with_marks(tokenizer):
    template = ChatTemplate(tokenizer, tokenizer.get_chat_template(), "tiny")
    assert "generation" in template.template
    check(template, "<|end|>")


def test_template_without_marks(tokenizer):
    check(ChatTemplate(tokenizer, CHATML, "tiny"), "<|end|>")


def test_marks_that_leave_out_the_stop_token_are_extended(tokenizer):
    marked = tokenizer.get_chat_template().replace(
        "{{ message['content'] + '<|end|>' }}{% endgeneration %}",
        "{{ message['content'] }}{% endgeneration %}{{ '<|end|>' }}",
    )
    assert marked != tokenizer.get_chat_template()
    check(ChatTemplate(tokenizer, marked, "tiny"), "<|end|>")


def test_plain_template_where_padding_is_the_stop_token(tokenizer):
    tokenizer.pad_token = tokenizer.eos_token
    template = ChatTemplate(tokenizer, PLAIN_TEMPLATE, "tiny")
    assert template.stop == tokenizer.eos_token_id == tokenizer.pad_token_id
    check(template, "<|endoftext|>")
    text = template.text(TALK[1:3])
    assert text == "<|endoftext|>User:\nHi, who are you?\nAssistant:\nA parrot.<|endoftext|>\n"


def test_earlier_answers_that_are_rewritten_give_one_item_each(tokenizer):
    template = ChatTemplate(tokenizer, FORGETS, "tiny")
    first, second = template.render(TALK)
    assert answers(template, first) == ["<think></think>A parrot.<|end|>"]
    assert answers(template, second) == ["<think></think>Squawk 🦜<|end|>"]
    assert second.ids[: second.supervised.argmax()].tolist() == template.prompt_tokens(TALK[:4])
    assert "<think></think>A parrot" not in tokenizer.decode(second.ids)


def test_qwen2(shared):
    import json

    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    folder = shared / "tokenizers/qwen2"
    inner = Tokenizer(BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    text = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    template = ChatTemplate(tokenizer, text, "qwen2")
    assert tokenizer.decode([template.stop]) == "<|im_end|>"
    check(template, "<|im_end|>")


def test_minimind(shared):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers/minimind", local_files_only=True)
    template = ChatTemplate(tokenizer, tokenizer.get_chat_template(), "minimind")
    assert tokenizer.decode([template.stop]) == "<|im_end|>"
    check(template, "<|im_end|>")


def test_minimind_thoughts_contradict_its_prompt(shared):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers/minimind", local_files_only=True)
    template = ChatTemplate(tokenizer, tokenizer.get_chat_template(), "minimind")
    talk = (Message("user", "2+2?"), Message("assistant", "<think>easy</think>4"))
    with pytest.raises(ModelError) as caught:
        template.render(talk)
    assert "does not open an answer in training as it does in a prompt" in str(caught.value)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (CHATML.replace("'<|end|>'", "'END'"), "writes no special token behind an answer"),
        (
            CHATML.replace("<|user|>assistant", "<|assistant|>"),
            "does not open an answer in training as it does in a prompt",
        ),
        ("{{ messages[0]['content'] + '<|end|>' }}", "does not open an answer|leaves out the answer"),
        ("{{ raise_exception('only poems, please') }}", r"refuses a conversation(.|\n)*only poems, please"),
        ("{% for m in messages %}", "refuses a conversation"),
    ],
)
def test_templates_that_cannot_be_learned_are_refused_with_words(tokenizer, template, words):
    with pytest.raises(ModelError, match=words) as caught:
        ChatTemplate(tokenizer, template, "tiny")
    assert "the chat template of 'tiny'" in str(caught.value)
    assert "repair chat_template" in str(caught.value)


def test_special_text_in_a_message_is_found(tokenizer):
    template = ChatTemplate(tokenizer, CHATML, "tiny")
    assert template.reserved_text([Message("user", "what does <|end|> do?")])
    assert not template.reserved_text(TALK)


def test_tool_calls_reach_the_template(shared):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers/minimind", local_files_only=True)
    template = ChatTemplate(tokenizer, tokenizer.get_chat_template(), "minimind")
    call = {"function": {"name": "find", "arguments": '{"a": 1}'}}
    talk = (
        Message("user", "go"),
        Message("assistant", "", (call,)),
        Message("tool", "done"),
        Message("assistant", "ok"),
    )
    (rendered,) = template.render(talk)
    called, told = answers(template, rendered)
    assert '{"name": "find", "arguments": {"a": 1}}' in called
    assert told == "ok<|im_end|>"
