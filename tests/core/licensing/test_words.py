# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is shown to people: dates in words, texts that a terminal does not obey, errors that name their file."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.licensing import SignedDocumentError, refusal
from tunesmith.licensing.fields import printable
from tunesmith.licensing.reasons import about
from tunesmith.licensing.timestamps import timestamp_in_words

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12 * 86400 + 5, "2026-12-08 12:00 UTC, in 12 days"),
        (86400, "2026-11-27 12:00 UTC, in 1 day"),
        (86399, "2026-11-27 11:59 UTC, in 23 hours"),
        (3600, "2026-11-26 13:00 UTC, in 1 hour"),
        (60, "2026-11-26 12:01 UTC, in 1 minute"),
        (59, "2026-11-26 12:00 UTC, now"),
        (-59, "2026-11-26 11:59 UTC, now"),
        (-3 * 86400, "2026-11-23 12:00 UTC, 3 days ago"),
        (10_000 * 86400, "2054-04-13 12:00 UTC, in 10,000 days"),
    ],
)
def test_a_point_in_time_in_words(seconds: int, words: str) -> None:
    assert timestamp_in_words(NOW + timedelta(seconds=seconds), NOW) == words


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable("a\x1b[2J\u202eb\x9b\n\ud800") == "a\\u001b[2J\\u202eb\\u009b\\u000a\\ud800"
    assert printable("Größe 日本 \u200d نص") == "Größe 日本 \u200d نص"


@given(st.text())
def test_nothing_that_is_printed_moves_a_cursor(text: str) -> None:
    assert not {character for character in printable(text) if ord(character) < 32 or 0x7F <= ord(character) < 0xA0}


def test_a_refusal_says_which_file_it_is_about() -> None:
    with (
        pytest.raises(SignedDocumentError, match=r"^customer\.lic: this is empty\n  expected: more") as caught,
        about("customer.lic"),
    ):
        raise refusal("empty", "this is empty", expected="more", fix="look")
    assert (caught.value.reason, caught.value.fix) == ("empty", ("look",))


def test_one_that_says_so_already_is_left_alone() -> None:
    with pytest.raises(SignedDocumentError, match=r"^there is no such file\n") as caught, about("customer.lic"):
        raise refusal("no-file", "there is no such file", given="customer.lic")
    assert caught.value.what == "there is no such file"
