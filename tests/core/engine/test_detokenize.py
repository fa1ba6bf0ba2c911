# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Streaming adds up to what the tokenizer decodes in one go, whatever the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tunesmith.engine.detokenize import Detokenizer, StopStrings, continuation
from tunesmith.engine.vocabulary import Vocabulary


def sentencepiece_like() -> Any:
    """Metaspace words, byte fallback, special tokens: the vocabulary family of Llama."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += ["▁", "▁Once", "▁upon", "a", "▁a", ".", "▁▁", "é", "ny"]
    vocab = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(parts)
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in words[:3]])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def byte_level() -> Any:
    """One token a byte: the vocabulary family of GPT-2."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<end>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


TOKENIZERS = {"sentencepiece": sentencepiece_like(), "byte-level": byte_level()}


def stream(tokenizer: Any, prompt: Sequence[int], answer: Sequence[int]) -> list[str]:
    detokenizer = Detokenizer(Vocabulary(tokenizer), prompt)
    return [*(detokenizer.push(token) for token in answer), detokenizer.flush()]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokens_that_the_tokenizer_does_not_have_add_nothing_and_cost_nothing(name: str) -> None:
    tokenizer, spare = TOKENIZERS[name], len(TOKENIZERS[name]) + 5
    detokenizer = Detokenizer(Vocabulary(tokenizer), [4])
    assert {detokenizer.push(spare) for _ in range(100)} == {""}
    assert len(detokenizer._window) == 1
    answer = [70, spare, 71, spare, spare, 3, 75]
    assert "".join(stream(tokenizer, [4], answer)) == continuation(Vocabulary(tokenizer), [4], answer)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_pieces_add_up_to_the_whole_text(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    tokens = st.lists(st.integers(0, len(tokenizer) - 1), max_size=24)
    answer = data.draw(tokens)
    whole = tokenizer.decode(answer, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert "".join(stream(tokenizer, [], answer)) == whole


@pytest.mark.parametrize("name", TOKENIZERS)
@given(prompt=st.text(max_size=12), data=st.data())
def test_pieces_add_up_behind_a_prompt(name: str, prompt: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    if tokenizer.decode(ids, skip_special_tokens=True).endswith("\ufffd"):
        return  # an unfinished character of the prompt belongs to nobody
    answer = data.draw(st.lists(st.integers(len(tokenizer) - 12, len(tokenizer) - 1), max_size=12))
    assert "".join(stream(tokenizer, ids, answer)) == continuation(Vocabulary(tokenizer), ids, answer)


class Undecided(Vocabulary):
    """Knows no token: all are decoded with what stands before them."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        self.plain._joins = False


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_what_is_known_of_a_token_is_what_decoding_gives(name: str, data: st.DataObject) -> None:
    """Piece by piece, and not only in sum."""
    tokenizer = TOKENIZERS[name]
    tokens = st.lists(st.integers(0, len(tokenizer) - 1), max_size=24)
    prompt, answer = data.draw(tokens), data.draw(tokens)
    one, other = Detokenizer(Vocabulary(tokenizer), prompt), Detokenizer(Undecided(tokenizer), prompt)
    assert [one.push(token) for token in answer] == [other.push(token) for token in answer]
    assert one.flush() == other.flush()


@given(text=st.text(max_size=40))
def test_real_text_streams_unharmed(text: str) -> None:
    tokenizer = TOKENIZERS["byte-level"]
    ids = tokenizer.encode(text, add_special_tokens=False)
    if "<end>" not in text:
        assert "".join(stream(tokenizer, [], ids)) == text


def test_half_a_character_is_held_back() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    ids = tokenizer.encode("né!", add_special_tokens=False)
    assert stream(tokenizer, [], ids) == ["n", "", "é", "!", ""]


def test_byte_fallback_is_held_until_the_run_of_bytes_ends() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    run = [tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>") for byte in "你".encode()]
    word = tokenizer.convert_tokens_to_ids("a")
    assert stream(tokenizer, [], [*run, word]) == ["", "", "", "你a", ""]
    assert stream(tokenizer, [], run) == ["", "", "", "你"]


def test_leading_space_belongs_to_the_text_only_behind_text() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    once, upon, start = (tokenizer.convert_tokens_to_ids(word) for word in ("▁Once", "▁upon", "<s>"))
    assert stream(tokenizer, [start], [once, upon]) == ["Once", " upon", ""]
    assert stream(tokenizer, [start, once], [upon]) == [" upon", ""]
    assert stream(tokenizer, [start, once, start], [upon]) == ["upon", ""]


@pytest.mark.parametrize(
    ("pieces", "stops", "expected"),
    [
        (["a b", " END c"], ["END"], ("a b ", True)),
        (["a E", "N", "D"], ["END"], ("a ", True)),
        (["a E", "N", "O"], ["END"], ("a ENO", False)),
        (["aab", "aabX"], ["aabX"], ("aab", True)),
        (["one two"], ["two", "one"], ("", True)),
        (["nothing"], [], ("nothing", False)),
        (["E"], ["END", ""], ("E", False)),
    ],
)
def test_stop_strings(pieces: list[str], stops: list[str], expected: tuple[str, bool]) -> None:
    watch = StopStrings(stops)
    out = ""
    for piece in pieces:
        text, found = watch.push(piece)
        out += text
        if found:
            break
    else:
        found = False
        out += watch.flush()
    assert (out, found) == expected


@given(
    text=st.text("abE", max_size=30),
    cuts=st.lists(st.integers(1, 4)),
    stops=st.lists(st.text("abE", min_size=1, max_size=3), max_size=3),
)
def test_stop_strings_do_not_depend_on_the_pieces(text: str, cuts: list[int], stops: list[str]) -> None:
    watch, out, rest, found = StopStrings(stops), "", text, False
    for size in [*cuts, len(text)]:
        piece, found = watch.push(rest[:size])
        out, rest = out + piece, rest[size:]
        if found:
            break
    out += "" if found else watch.flush()
    # The first stop string to be complete wins; pieces may complete two at once, then the one that starts first.
    assert not any(stop in out for stop in stops)
    assert text.startswith(out)
    assert found == any(stop in text for stop in stops)


# ---- what is known of single tokens ----------------------------------------------------------------------------------


def wordpiece() -> Any:
    inner = Tokenizer(models.WordPiece({"[UNK]": 0, "play": 1, "##ing": 2, ",": 3}, unk_token="[UNK]"))
    inner.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")


def plain(tokenizer: Any, *names: str) -> list[tuple[str, str] | None]:
    known = Vocabulary(tokenizer).plain
    return [known[tokenizer.convert_tokens_to_ids(name)] for name in names]


def test_a_word_has_its_space_behind_others() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    assert plain(tokenizer, "▁Once", "ny", "é", "▁▁") == [
        (" Once", "Once"),
        ("ny", "ny"),
        ("é", "é"),
        ("  ", " "),
    ]
    assert plain(tokenizer, "<0xE4>", "<s>", "▁") == [None, None, None]  # a lone space is nothing by itself


def test_a_byte_is_known_where_it_is_a_character() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    assert plain(tokenizer, "a", "Ġ", "Ã", "<end>") == [("a", "a"), (" ", " "), None, None]


@pytest.mark.parametrize("change", ["other decoder", "other words", "own decode"])
def test_nothing_is_known_of_others(change: str) -> None:
    tokenizer = wordpiece()
    if change == "other words":
        parts = [decoders.Replace("_", " "), decoders.ByteFallback(), decoders.Fuse()]
        tokenizer.backend_tokenizer.decoder = decoders.Sequence(parts)
    if change == "own decode":

        class Own(PreTrainedTokenizerFast):  # type: ignore[misc]
            def _decode(self, *args: Any, **kwargs: Any) -> str:
                return super()._decode(*args, **kwargs).upper()  # type: ignore[no-any-return]

        tokenizer = Own(tokenizer_object=TOKENIZERS["byte-level"].backend_tokenizer)
    known = Vocabulary(tokenizer).plain
    assert all(known[token] is None for token in range(4))


def test_an_id_without_a_token_adds_nothing() -> None:
    for tokenizer in (*TOKENIZERS.values(), wordpiece()):
        assert Vocabulary(tokenizer).plain[9_999] is None


def test_most_tokens_are_not_decoded() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    vocabulary = Vocabulary(tokenizer)
    ids = tokenizer.encode("some words, and some more", add_special_tokens=False)
    first = Detokenizer(vocabulary, ids)
    assert "".join(map(first.push, ids)) == "some words, and some more"
    again, decoded = Detokenizer(vocabulary, ids), []
    vocabulary.decode = decoded.append  # type: ignore[method-assign, assignment]
    assert "".join(map(again.push, ids)) == "some words, and some more"
    assert decoded == []
