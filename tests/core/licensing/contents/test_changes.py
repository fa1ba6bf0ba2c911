# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Row 11, for a license as a customer has it: whatever is changed in it, it is refused, or is the very same license."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said import a_license, documents
from signed import KEYS, PRIVATE

from tunesmith.licensing import KINDS, SignedDocumentError, armor, armor_line, dearmor, sign, verify
from tunesmith.licensing.contents import parse_license

LICENSE = a_license(replaces=("lic-0",), order="PO 17")
ENVELOPE = sign(LICENSE.payload(), "license", [PRIVATE[0]])
FORMS = {"armored": armor(ENVELOPE), "one line": armor_line(ENVELOPE)}
HARMLESS = " \t\r\n"
"""White space within and around: any of it, or none, as docs/reference/signed-documents.md has it."""


def read(text):
    """The license that a text unlocks, or None."""
    try:
        return parse_license(verify(dearmor(text, "license"), "license", [KEYS[0]]))
    except SignedDocumentError:
        return None


@pytest.mark.parametrize("form", FORMS)
def test_row_11_every_single_bit_flip_is_refused(form):
    """All of them: eight times the length of the text. No flip makes one harmless white space of another. (In one line
    every character has one bit flipped; its digits are those of the lines.)"""
    text = FORMS[form].encode()
    for position in range(len(text)):
        for bit in range(8) if form == "armored" else [position % 8]:
            damaged = text[:position] + bytes([text[position] ^ 1 << bit]) + text[position + 1 :]
            assert read(damaged) is None, (position, bit)


def without_space(text):
    return "".join(letter for letter in text if letter not in HARMLESS)


LETTERS = st.sampled_from("ABZabz019+/=-_ \t\r\n\\\"'>{}:,.\x00\x0b\x0c\x85\u00a0\u2028\ufeff\u0430") | st.characters()


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_single_character_inserted_deleted_or_replaced_is_refused_or_harmless(form, data):
    text = FORMS[form]
    position = data.draw(st.integers(0, len(text)))
    way = data.draw(st.sampled_from(["insert", "delete", "replace"]))
    letter = "" if way == "delete" else data.draw(LETTERS)
    changed = text[:position] + letter + text[position + (way != "insert") :]
    found = read(changed)
    assert found is None or found == LICENSE
    if without_space(changed) != without_space(text):
        assert found is None, (way, position, letter)


@pytest.mark.parametrize("form", FORMS)
def test_every_character_that_is_left_out_is_refused_or_harmless(form):
    text = FORMS[form]
    for position in range(len(text)):
        found = read(text[:position] + text[position + 1 :])
        # Two spaces of each line BEGIN and END have to be there; the ends of lines of base64 need not.
        if text[position] not in HARMLESS:
            assert found is None, position
        assert found is None or found == LICENSE


@pytest.mark.parametrize("form", FORMS)
def test_every_cut_is_refused_save_where_only_white_space_is_lost(form):
    text = FORMS[form]
    for length in range(len(text)):
        assert (read(text[:length]) is not None) == (text[:length].strip() == text.strip())


@settings(max_examples=25, deadline=None)
@given(documents, st.sampled_from(KINDS), st.integers(0, 3))
@example(LICENSE, "license", 0)
def test_a_license_is_read_only_from_a_license_signed_by_the_right_key(document, kind, number):
    text = armor(sign(document.payload(), kind, [PRIVATE[number]]))
    found = read(text)
    assert (found is not None) == (type(document) is type(LICENSE) and kind == "license" and number == 0)
    assert found is None or found == document
