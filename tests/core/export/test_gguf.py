# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""GGUF files hold the model: by our own reading, by transformers', and by llama.cpp's where it is installed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

import tunesmith
from tunesmith.errors import ModelError, OutputError, ParityError
from tunesmith.export import Export, export_model
from tunesmith.export.gguf_vocab import vocabulary_of
from tunesmith.export.pieces import SPLITS, Pieces
from tunesmith.export.subject import Subject
from tunesmith.models.save import save_model
from tunesmith.registry import get_registry

gguf = pytest.importorskip("gguf", reason="needs the package gguf: pip install 'tunesmith[gguf]'")

DECODERS: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": {"sliding_window": None},
    "Qwen2": {"tie_word_embeddings": True},
    "Qwen3": {"head_dim": 128},  # transformers' reader of GGUF knows no other
}


def fields_of(done: Export) -> dict[str, Any]:
    reader = gguf.GGUFReader(done.path / "model.gguf")
    return {name: field.contents() for name, field in reader.fields.items()}


def findings(done: Export) -> dict[str, str]:
    return {finding.name: finding.detail for finding in done.findings if finding.holds}


@pytest.mark.parametrize("kind", sorted(DECODERS))
def test_another_reader_of_gguf_finds_the_same_weights(kind: str, decoder: Callable[..., Path], tmp_path: Path) -> None:
    """transformers turns the file back into a model by code of its own: names, order of rows, and numbers."""
    folder = decoder(kind, **DECODERS[kind])

    done = export_model(folder, to="gguf", out=tmp_path / "out")

    ids = torch.arange(6, 60)[None]
    with torch.inference_mode():
        wanted = AutoModelForCausalLM.from_pretrained(folder).eval()(ids).logits
        found = AutoModelForCausalLM.from_pretrained(done.path, gguf_file="model.gguf").eval()(ids).logits
    assert torch.allclose(found, wanted, atol=1e-4)
    assert done.state == "passed"
    assert list(findings(done)) == [
        "vocabulary",
        "splitting",
        "weights",
        "token ids",
        "greedy tokens",
        "log-probabilities",
        *(name for name in findings(done) if name.startswith("llama.cpp")),
    ]
    assert fields_of(done)["general.architecture"] == kind.lower().replace("mistral", "llama")


def test_what_the_file_says_of_a_chat_model(chat_model: Path, tmp_path: Path) -> None:
    done = export_model(chat_model, to="gguf", out=tmp_path / "out")

    fields = fields_of(done)
    config = AutoModelForCausalLM.from_pretrained(chat_model).config
    assert fields["general.file_type"] == 0
    assert fields["llama.context_length"] == 128
    assert fields["llama.embedding_length"] == config.hidden_size
    assert fields["llama.attention.head_count"] == config.num_attention_heads
    assert fields["llama.rope.freq_base"] == 10000.0
    assert fields["llama.vocab_size"] == 262 == len(fields["tokenizer.ggml.tokens"])
    assert fields["tokenizer.ggml.model"] == "gpt2"
    assert fields["tokenizer.ggml.pre"] == "gpt-2"
    assert fields["tokenizer.ggml.merges"] == ["<none> <none>"]  # bytes alone; llama.cpp opens no file without merges
    assert fields["tokenizer.ggml.eos_token_id"] == 0
    assert fields["tokenizer.ggml.eot_token_id"] == 5  # <|end|>, behind an answer
    assert fields["tokenizer.ggml.add_bos_token"] is False  # the template writes none
    assert fields["tokenizer.ggml.token_type"][:7] == [3, 3, 3, 3, 3, 3, 1]
    template = fields["tokenizer.chat_template"]
    assert "generation" not in template.replace("add_generation_prompt", "")
    assert "<|assistant|>" in template


def test_the_rendering_lies_beside_the_file(chat_model: Path, tmp_path: Path) -> None:
    """A file has room for three stop tokens and none for settings of sampling."""
    done = export_model(chat_model, to="gguf", out=tmp_path / "out")

    content = json.loads((done.path / "rendering.json").read_text())
    assert (content["format"], content["task"]) == (1, "tunesmith/chat")
    assert content["state"]["stop_tokens"] == [0, 5]
    assert "rendering.json" in done.files


def test_the_modelfile_says_how_to_talk_to_it(chat_model: Path, tmp_path: Path) -> None:
    done = export_model(chat_model, to="gguf", out=tmp_path / "out")

    text = (done.path / "Modelfile").read_text()
    said = (
        '{{ if eq .Role "system" }}<|system|>{{ .Content }}<|end|>{{ else if eq .Role "user" }}<|user|>{{ .Content }}'
    )
    said += '<|end|>{{ else if eq .Role "assistant" }}<|assistant|>{{ .Content }}<|end|>{{ end }}'
    assert text.splitlines() == [
        "FROM ./model.gguf",
        f'TEMPLATE """{{{{ range .Messages }}}}{said}{{{{ end }}}}<|assistant|>"""',
        'PARAMETER stop "<|endoftext|>"',
        'PARAMETER stop "<|end|>"',
        "PARAMETER temperature 1",
        "PARAMETER top_k 0",
        "PARAMETER top_p 1",
        "PARAMETER min_p 0",
        "PARAMETER repeat_penalty 1",
    ]


def test_a_template_that_does_more_gets_no_go_template(chat_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ '<|' + message['role'] + '|>' }}",
        "{{ '<|' + message['role'] + '|>' }}{% if loop.first and messages | length > 1 %}{{ 'first ' }}{% endif %}",
    )
    save_model(AutoModelForCausalLM.from_pretrained(chat_model), tmp_path / "in", tokenizer)

    done = export_model(tmp_path / "in", to="gguf", out=tmp_path / "out")

    assert "TEMPLATE" not in (done.path / "Modelfile").read_text()
    assert any("the Modelfile has no TEMPLATE" in note for note in done.notes)


def test_a_text_model_begins_with_its_start_token_and_has_no_template(tmp_path: Path) -> None:
    done = export_model("tunesmith/tiny", to="gguf", out=tmp_path / "out")

    fields = fields_of(done)
    assert fields["general.file_type"] == 32  # stored in bf16
    assert fields["tokenizer.ggml.add_bos_token"] is True
    assert "tokenizer.chat_template" not in fields
    assert 'TEMPLATE """{{ .Prompt }}"""' in (done.path / "Modelfile").read_text()
    assert done.notes == ("llama.cpp ends answers at these tokens too, whatever the model: <|end|>",)


@pytest.mark.parametrize(("quantize", "kind", "wide"), [("int8", "Q8_0", "Q8_0"), ("int4", "Q4_0", "Q8_0")])
def test_quantized_weights(quantize: str, kind: str, wide: str, tmp_path: Path) -> None:
    done = export_model("tunesmith/tiny", to="gguf", quantize=quantize, out=tmp_path / "out")

    stored = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(done.path / "model.gguf").tensors}
    assert stored["blk.0.attn_q.weight"] == kind
    assert stored["token_embd.weight"] == wide
    assert stored["blk.0.attn_norm.weight"] == "F32"
    assert stored["blk.0.ffn_down.weight"] == "F16"  # 496 numbers a row are no whole number of blocks
    assert done.state == "passed"


def test_an_adapter_is_merged_into_the_file(lora_run: Path, tmp_path: Path) -> None:
    done = export_model(lora_run, to="gguf", out=tmp_path / "out")

    assert done.state == "passed"
    assert done.rows_from == "train"


def test_a_wrong_order_of_rows_is_found(chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back without its permutation, the file is another model."""
    from tunesmith.export.gguf_arch import Tensor

    monkeypatch.setattr(Tensor, "there", lambda self, weight: weight)
    with pytest.raises(ParityError, match="weights: ") as caught:
        export_model(chat_model, to="gguf", out=tmp_path / "out")
    assert "attn_" in str(caught.value.given)


def test_llama_3_rotary_scaling(decoder: Callable[..., Path], tmp_path: Path) -> None:
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    done = export_model(decoder("Llama", rope_parameters=rope), to="gguf", out=tmp_path / "out")

    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(done.path / "model.gguf").tensors}
    factors = tensors["rope_freqs.weight"].data.tolist()
    assert factors[0] == pytest.approx(1.0)  # the fastest pair is left alone
    assert factors[-1] == pytest.approx(8.0)  # the slowest is stretched whole


def test_a_sliding_window_becomes_the_context(decoder: Callable[..., Path], tmp_path: Path) -> None:
    done = export_model(decoder("Mistral", sliding_window=100), to="gguf", out=tmp_path / "out")

    assert fields_of(done)["llama.context_length"] == 100
    assert any("the context is 100 tokens instead of 128" in note for note in done.notes)


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ({"hidden_act": "gelu"}, "hidden_act: gelu"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "dynamic"),
    ],
)
def test_settings_that_llama_cpp_does_not_have(
    values: dict[str, Any], given: str, decoder: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="cannot be written as GGUF") as caught:
        export_model(decoder("Llama", **values), to="gguf", out=tmp_path / "out")
    assert given in str(caught.value.given)
    assert caught.value.fix == ("export it --to merged",)


def test_an_unknown_decoder_is_refused_with_those_that_are_known(chat_model: Path, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=262, n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=0)
    save_model(GPT2LMHeadModel(config), tmp_path / "in", AutoTokenizer.from_pretrained(chat_model))

    with pytest.raises(ModelError, match="no such decoder is written as GGUF") as caught:
        export_model(tmp_path / "in", to="gguf", out=tmp_path / "out")
    assert caught.value.given == "GPT2LMHeadModel (model_type gpt2)"
    assert "llama, mistral, qwen2, qwen3" in str(caught.value.expected)


def test_without_the_package(chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModelError, match="writing GGUF needs the package gguf") as caught:
        export_model(chat_model, to="gguf", out=tmp_path / "out")
    assert caught.value.fix == ("pip install 'tunesmith[gguf]'",)


def test_a_disk_that_is_full_half_way(chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(*_: object) -> None:
        raise OSError("786432 requested and 142208 written")  # as numpy says it

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", half)
    with pytest.raises(OutputError, match="out: the disk is full"):
        export_model(chat_model, to="gguf", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# ---- tokenizers --------------------------------------------------------------------------------

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
BYTE_BPE = ({letter: number for number, letter in enumerate([*LETTERS, "he", "hel", "ll", "Ġa"])}, [("h", "e")])


def byte_level(*steps: Any, use_regex: bool = False, ignore_merges: bool = False) -> Tokenizer:
    words = {**BYTE_BPE[0], "<end>": 260}
    merges = [("h", "e"), ("he", "l"), ("l", "l"), ("Ġ", "a")]
    tokenizer = Tokenizer(models.BPE(words, merges, ignore_merges=ignore_merges))
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps, last])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentence_piece(scheme: str | None = None) -> Tokenizer:
    words = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}}
    for text in ("▁", "a", "b", "h", "e", "l", "o", "he", "ll", "hell", "▁hell", "▁a", "▁▁", "lo"):
        words[text] = len(words)
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("▁", "hell"), ("▁", "a"), ("▁", "▁"), ("l", "o")]
    tokenizer = Tokenizer(models.BPE(words, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    replace = normalizers.Replace(" ", "▁")
    if scheme is None:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=False)
    return tokenizer


def subject_with(tokenizer: Tokenizer, chat_model: Path, *, unknown: str | None = None) -> Subject:
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token=unknown)
    subject = Subject.open(chat_model, get_registry())
    subject.task = tunesmith.load("tunesmith/tiny").definition  # goes on with plain text
    subject.task.tokenizer = wrapped  # type: ignore[attr-defined]
    subject.task._stop_tokens = frozenset([wrapped.eos_token_id])  # type: ignore[attr-defined]
    rows = len(wrapped) + 3
    subject.module.resize_token_embeddings(rows)
    return subject


TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "gpt-2": lambda: byte_level(use_regex=True),
    "smollm": lambda: byte_level(pre_tokenizers.Digits(individual_digits=True), use_regex=True),
    "qwen2": lambda: byte_level(pre_tokenizers.Split(Regex(SPLITS["qwen2"]), "isolated")),
    "smaug-bpe": lambda: byte_level(pre_tokenizers.Split(Regex(SPLITS["llama-bpe"]), "isolated")),
    "llama-bpe": lambda: byte_level(pre_tokenizers.Split(Regex(SPLITS["llama-bpe"]), "isolated"), ignore_merges=True),
    "llama": sentence_piece,
    "llama, always": lambda: sentence_piece("always"),
    "llama, never": lambda: sentence_piece("never"),
}
TEXTS = (
    "hello hello  a b\n\nhe'll HE'LL",
    "12345 and 1 2 3",
    " é🙂你好 a<end>he<end> hell",
    "a" * 40 + " " * 9 + "h",
)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_file_splits_text_as_the_tokenizer_does(name: str, chat_model: Path) -> None:
    subject = subject_with(TOKENIZERS[name](), chat_model, unknown="<unk>" if name.startswith("llama,") else None)

    vocabulary = vocabulary_of(subject)

    kind = "llama" if name.partition(",")[0] == "llama" else "gpt2"
    assert (vocabulary.model, vocabulary.pre) == (kind, "default" if kind == "llama" else name)
    assert vocabulary.tokens[-3:] == tuple(f"[PAD{len(vocabulary.tokens) - n}]" for n in (3, 2, 1))
    assert vocabulary.types[-3:] == (5, 5, 5)
    pieces = Pieces(
        {
            "model": vocabulary.model,
            "pre": vocabulary.pre,
            "tokens": vocabulary.tokens,
            "token_type": vocabulary.types,
            "scores": vocabulary.scores,
            "merges": vocabulary.merges,
            "add_space_prefix": vocabulary.space_prefix,
        }
    )
    assert vocabulary.lone_space == (name == "llama, always")
    for text in (text.strip().replace("> ", ">") if vocabulary.lone_space else text for text in TEXTS):
        wanted = subject.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert pieces.encode(text) == wanted, text


@pytest.mark.parametrize(
    ("tokenizer", "given"),
    [
        (lambda: Tokenizer(models.Unigram([("a", -1.0), ("b", -2.0)])), "a model of type Unigram"),
        (lambda: Tokenizer(models.WordLevel({"a": 0, "b": 1}, "a")), "a model of type WordLevel"),
        (lambda: byte_level(pre_tokenizers.Whitespace()), "Whitespace"),
        (lambda: byte_level(use_regex=True, ignore_merges=True), "ByteLevel"),
    ],
)
def test_tokenizers_that_llama_cpp_does_not_have(
    tokenizer: Callable[[], Tokenizer], given: str, chat_model: Path
) -> None:
    subject = subject_with(tokenizer(), chat_model)

    with pytest.raises(ModelError, match=r"llama\.cpp would split text otherwise") as caught:
        vocabulary_of(subject)
    assert given in str(caught.value.given)
    assert "byte-level BPE" in str(caught.value.expected)


# ---- llama.cpp itself --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["chat", "run", "biases", *sorted(DECODERS)])
def test_llama_cpp_gives_the_same_tokens(
    kind: str, decoder: Callable[..., Path], chat_model: Path, lora_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python, which takes long to build")
    if kind in ("chat", "run"):
        folder = chat_model if kind == "chat" else lora_run
    elif kind == "biases":
        folder = decoder("Llama", attention_bias=True, mlp_bias=True)
    else:
        folder = decoder(kind, **DECODERS[kind])

    done = export_model(folder, to="gguf", out=tmp_path / "out")

    told = {name: detail for name, detail in findings(done).items() if name.startswith("llama.cpp")}
    assert list(told) == ["llama.cpp: token ids", "llama.cpp: greedy tokens", "llama.cpp: log-probabilities"]
    assert told["llama.cpp: token ids"] == "4 of 4 golden rows alike"
    alike, asked = re.match(r"(\d+) of (\d+) greedy tokens alike\Z", told["llama.cpp: greedy tokens"]).groups()  # type: ignore[union-attr]
    assert alike == asked
