# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is found in a text, offline, and what takes its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from pydantic import ValidationError

from tunesmith.errors import RecipeError
from tunesmith_privacy.detector import Detection, Detector, Found, joined
from tunesmith_privacy.masking import Masker, check_template, texts_of


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detection().detector()


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("write to john.doe@example.com today", "EMAIL_ADDRESS", "john.doe@example.com"),
        ("call (415) 555-2671 now", "PHONE_NUMBER", "(415) 555-2671"),
        ("call +44 20 7946 0958 now", "PHONE_NUMBER", "+44 20 7946 0958"),
        ("card 4111 1111 1111 1111 please", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("pay to DE89 3704 0044 0532 0130 00 then", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
        ("from 192.168.0.12 it came", "IP_ADDRESS", "192.168.0.12"),
        ("send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa soon", "CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("my SSN is 536-90-4399 here", "US_SSN", "536-90-4399"),
        ("device 00:1B:44:11:3A:B7 joined", "MAC_ADDRESS", "00:1B:44:11:3A:B7"),
        ("see https://example.org/a?b=1 there", "URL", "https://example.org/a?b=1"),
    ],
)
def test_it_finds(detector: Detector, text: str, entity: str, value: str) -> None:
    (found,) = detector.find(text)
    assert (found.entity, text[found.start : found.end]) == (entity, value)
    assert 0.4 <= found.score <= 1


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112 fails the check of Luhn",
        "DE89 3704 0044 0532 0130 01 has the wrong check digits",
        "hello@localhost is no address of the internet",
        "order 12345678, on 2026-11-26, by Jane Doe of Springfield",
        "",
        "   ",
    ],
)
def test_it_leaves_alone(detector: Detector, text: str) -> None:
    assert not detector.find(text)


def test_the_words_around_a_number_raise_its_score() -> None:
    weak = Detection(entities=["US_BANK_NUMBER"]).detector()
    assert not weak.find("it took 123456789012 steps")
    (found,) = weak.find("my bank account is 123456789012")
    assert found.score >= 0.4


def test_numbers_of_other_countries_are_found_when_asked_for() -> None:
    german = Detection(language="de", countries=["de"]).detector()
    assert "DE_TAX_ID" in german.entities
    (found,) = german.find("Meine Steuer-ID lautet 86095742719")
    assert found.entity == "DE_TAX_ID"
    assert "US_SSN" not in german.entities
    assert "EMAIL_ADDRESS" in german.entities


def test_dates_are_found_by_name_only(detector: Detector) -> None:
    assert "DATE_TIME" not in detector.entities
    (found,) = Detection(entities=["DATE_TIME"]).detector().find("born 1980-02-03")
    assert found.entity == "DATE_TIME"


def test_of_overlapping_findings_the_whole_is_one_named_after_the_surest() -> None:
    found = [Found("URL", 5, 16, 0.5), Found("EMAIL_ADDRESS", 0, 12, 1.0), Found("IP_ADDRESS", 20, 25, 0.6)]
    assert joined(found) == (Found("EMAIL_ADDRESS", 0, 16, 1.0), Found("IP_ADDRESS", 20, 25, 0.6))
    chain = [Found("A", 0, 4, 0.5), Found("B", 3, 8, 0.5), Found("C", 7, 9, 0.9), Found("D", 9, 11, 0.9)]
    assert joined(chain) == (Found("C", 0, 9, 0.9), Found("D", 9, 11, 0.9))
    assert joined([]) == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"language": "qq"}, ["spaCy has no words of this language", "given qq"]),
        ({"countries": ["zz"]}, ["no recognizers for this country", "given zz", "us, za"]),
        ({"entities": ["NAME"]}, ["nothing here finds this kind", "given NAME", "EMAIL_ADDRESS"]),
        ({"entities": ["PERSON"]}, ["given PERSON"]),
        ({"model": "en_core_web_none"}, ["not installed, and nothing is downloaded", "given en_core_web_none"]),
        ({"model": "/tmp"}, ["not installed", "the name of an installed package"]),
    ],
)
def test_what_is_not_there_is_refused_in_words(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Detection(**values)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_detector_itself_says_what_to_do() -> None:
    with pytest.raises(RecipeError) as caught:
        Detector(entities=["PERSON"])
    assert "names and places need a model of spaCy" in str(caught.value)


def test_an_installed_model_finds_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model made here, of one pattern, packed as spaCy's are: nothing that could be downloaded is needed."""
    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Jane Doe"}])
    package = tmp_path / "xx_names"
    package.mkdir()
    made.to_disk(package / "data")
    (package / "__init__.py").write_text(
        "import pathlib, spacy\nload = lambda **told: spacy.load(pathlib.Path(__file__).parent / 'data', **told)\n"
    )
    info = tmp_path / "xx_names-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: xx_names")
    monkeypatch.syspath_prepend(tmp_path)
    masker = Masker(Detection(model="xx_names").detector())
    assert masker.text("Ask Jane Doe at jane@example.com") == "Ask <PERSON> at <EMAIL_ADDRESS>"


def test_nothing_is_fetched_and_nothing_is_left_in_the_home_of_the_person(tmp_path: Path) -> None:
    code = """
import os, socket
def refuse(*given, **named):
    raise AssertionError(f"asked for the network: {given}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import requests
requests.Session.request = requests.Session.send = refuse
from tunesmith_privacy.transform import MaskPii
mask = MaskPii()
print(dict(mask.change({"text": "a@example.co.uk and b@münchen.de and c@x.qqq"}))["text"])
"""
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert said.stdout == "<EMAIL_ADDRESS> and <EMAIL_ADDRESS> and c@x.qqq\n", said.stderr
    assert "network" not in said.stderr
    assert not [path for path in tmp_path.rglob("*") if "tldextract" in str(path) or "suffix" in str(path)]


# ---- masking ---------------------------------------------------------------------------------------------------------


def test_masking_reaches_every_text_and_nothing_else(detector: Detector) -> None:
    masker = Masker(detector)
    messages = [
        {"role": "user", "content": "I am a@example.com", "tool_calls": [{"arguments": '{"to": "b@example.com"}'}]},
        {"role": "assistant", "content": None, "weight": 0.5, "cards": ("4111 1111 1111 1111", 4111111111111111)},
    ]
    assert masker.value(messages) == [
        {"role": "user", "content": "I am <EMAIL_ADDRESS>", "tool_calls": [{"arguments": '{"to": "<EMAIL_ADDRESS>"}'}]},
        {"role": "assistant", "content": None, "weight": 0.5, "cards": ["<CREDIT_CARD>", 4111111111111111]},
    ]
    assert messages[0]["content"] == "I am a@example.com", "what is given stays as it is"
    assert dict(masker.counts) == {"EMAIL_ADDRESS": 2, "CREDIT_CARD": 1}
    assert [where for where, _ in texts_of(messages, "messages")] == [
        "messages[0].content",
        "messages[0].tool_calls[0].arguments",
        "messages[1].cards[0]",
    ]


def test_masked_text_has_nothing_left_to_mask(detector: Detector) -> None:
    masker = Masker(detector)
    once = masker.text("a@example.com, (415) 555-2671, 192.168.0.12 and https://example.org/x")
    assert once == "<EMAIL_ADDRESS>, <PHONE_NUMBER>, <IP_ADDRESS> and <URL>"
    assert masker.text(once) == once


def test_a_pseudonym_is_the_same_for_the_same_value(detector: Detector) -> None:
    masker = Masker(detector, pseudonym=True)
    assert masker.text("a@example.com wrote to b@example.com") == "<EMAIL_ADDRESS_1> wrote to <EMAIL_ADDRESS_2>"
    assert (
        masker.text("B@Example.com answered; call (415) 555-2671")
        == "<EMAIL_ADDRESS_2> answered; call <PHONE_NUMBER_1>"
    )


def test_what_stands_in_its_place_is_the_recipes(detector: Detector) -> None:
    assert Masker(detector, replace="[{entity}]").text("a@example.com") == "[EMAIL_ADDRESS]"
    assert Masker(detector, replace="***").text("a@example.com") == "***"
    check_template("***", pseudonym=False)
    with pytest.raises(ValueError, match="replace must hold"):
        check_template("***", pseudonym=True)
    with pytest.raises(ValueError, match="no other field"):
        check_template("{value}", pseudonym=False)
