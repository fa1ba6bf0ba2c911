# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import json
import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed import refused

from tunesmith.licensing import SignedDocumentError, parse_json
from tunesmith.licensing.base64_text import decode_base64, encode_base64
from tunesmith.licensing.fields import integer, items, members, text
from tunesmith.licensing.timestamps import format_timestamp, parse_timestamp

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "json", "no JSON"),
        (b"{", "json", "line 1, column 2"),
        (b"{} {}", "json", "Extra data"),
        (b"[1,]", "json", "line 1"),
        (b"{'a':1}", "json", "line 1"),
        (b'"a\nb"', "json", "control character"),
        (b'{"tier":"free","tier":"ent"}', "duplicate-name", "'tier'"),
        (b'{"x":{"a":1,"\\u0061":2}}', "duplicate-name", "'a'"),
        (b"NaN", "number", "NaN"),
        (b"[Infinity]", "number", "Infinity"),
        (b"[-Infinity]", "number", "-Infinity"),
        (b"1e999", "number", "too large"),
        (b"-1e999", "number", "too large"),
        (b"9007199254740992", "number", "16 digits"),
        (b"-9007199254740992", "number", "16 digits"),
        (b"9" * 5000, "number", "5000 digits"),
        (b"9" * 5000 + b".0", "number", "too large"),
        (b'"\\ud800"', "surrogate", "half"),
        (b'{"\\udc00":1}', "surrogate", "half"),
        (b'["\\ude00\\ud83d"]', "surrogate", "half"),
        (b'"\xff"', "not-text", "wrong byte at 1"),
        (b'"\xed\xa0\x80"', "not-text", "not UTF-8"),
        (b'"\xc0\xaf"', "not-text", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte-order-mark", "UTF-8 without"),
        ("{}".encode("utf-16"), "byte-order-mark", "UTF-8 without"),
        ("{}".encode("utf-16-le"), "not-text", "zero bytes"),
        ("{}".encode("utf-32-be"), "not-text", "zero bytes"),
        (b"[" * 33 + b"]" * 33, "depth", "32"),
        (b"[" * 1_000_000, "depth", "32"),
        (b'{"a":' * 100_000, "depth", "32"),
        (b" " * (1 << 20) + b"1", "too-large", "1,048,577"),
    ],
    ids=range(31),
)
def test_row_14_json_of_more_than_one_reading_is_refused(data, reason, words):
    with refused(reason, words):
        parse_json(data)


def test_json_of_one_reading_is_read():
    assert parse_json(b'{"a":[1,2.5,-0,true,null,"\\ud83d\\ude00"]}') == {"a": [1, 2.5, 0, True, None, "😀"]}
    assert parse_json(b"[" * 32 + b"]" * 32)
    assert parse_json(b'"' + b"[" * 1000 + b'\\"' + b"{" * 1000 + b'"') == "[" * 1000 + '"' + "{" * 1000
    assert parse_json(b"9007199254740991") == -parse_json(b"-9007199254740991") == 2**53 - 1
    assert parse_json(b" " * ((1 << 20) - 1) + b"1") == 1


def test_true_is_not_one_and_one_is_not_a_float():
    assert [type(value) for value in parse_json(b"[true,1,1.0]")] == [bool, int, float]


def test_a_stack_that_is_almost_used_up_is_no_other_error(monkeypatch):
    def exhausted(*_, **__):
        raise RecursionError

    monkeypatch.setattr(json, "loads", exhausted)
    with refused("json", "RecursionError"):
        parse_json(b"{}")


def test_long_strings_are_measured_in_one_pass():
    """Were an unfinished string looked at once for each quote in it, this would take hours."""
    with refused("json"):
        parse_json(b'"' + b'\\"' * 500_000)


def test_the_json_test_suite(shared):
    folder = shared / "vectors" / "json_test_suite" / "test_parsing"
    if not folder.is_dir():
        pytest.skip("needs the JSON test suite in ../shared/vectors")
    files = sorted(folder.glob("*.json"))
    assert len(files) > 300
    wrong = {}
    for file in files:
        try:
            parse_json(file.read_bytes())
        except SignedDocumentError as error:
            if file.name.startswith("y_"):
                wrong[file.name] = error.reason
        else:
            if file.name.startswith("n_"):
                wrong[file.name] = "taken"
    assert wrong == {
        # The grammar lets a name stand twice; readers differ in which one counts.
        "y_object_duplicated_key.json": "duplicate-name",
        "y_object_duplicated_key_and_value.json": "duplicate-name",
    }


@settings(deadline=None)
@given(VALUES)
def test_it_reads_what_pythons_own_writes(value):
    assert parse_json(json.dumps(value).encode(), depth=100) == value


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0d8eE+-.1 tfn', max_size=60).map(str.encode))
def test_any_bytes_are_json_or_its_own_error(data):
    try:
        value = parse_json(data)
    except SignedDocumentError:
        return
    assert json.loads(data) == value or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        ("QQ=", "padding", "2 characters and 1 of ="),
        ("QQ", "padding", "2 characters and 0 of ="),
        ("QQ===", "alphabet", "'='"),
        ("QQ======", "alphabet", "'='"),
        ("Q===", "alphabet", "'='"),
        ("Q", "padding", "1 characters"),
        ("====", "alphabet", "'='"),
        ("=", "padding", "0 characters and 1"),
        ("QR==", "trailing-bits", "last character"),
        ("QUF=", "trailing-bits", "zeros"),
        ("-_8=", "url-safe", "position 1"),
        ("QQ==\n", "alphabet", "'='"),
        ("QUFB\n", "alphabet", "'\\n' at position 5"),
        ("QU FB", "alphabet", "' ' at position 3"),
        ("QQ==QUFB", "alphabet", "position 3"),
        ("QUFВ", "alphabet", "'\\u0412'"),
        ("QUF\0", "alphabet", "'\\x00'"),
    ],
)
def test_row_13_base64_has_one_text_for_each_value(given, reason, words):
    with refused(reason, words):
        decode_base64(given, "the payload")


@settings(deadline=None)
@given(st.binary())
def test_base64_comes_back(data):
    assert decode_base64(encode_base64(data), "it") == data


@settings(deadline=None)
@given(st.text(alphabet="QRU+/=-_ \n", max_size=12) | st.text(max_size=8))
def test_base64_that_is_taken_is_what_would_be_written(given):
    try:
        data = decode_base64(given, "it")
    except SignedDocumentError:
        return
    assert encode_base64(data) == given


@pytest.mark.parametrize(
    "given",
    [
        "2026-W01-1",
        "20260101",
        "20260101T000000Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:00Z\n",
        " 2026-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
        "",
        1767225600,
        "1767225600",
        True,
        None,
    ],
)
def test_row_17_a_point_in_time_has_one_form(given):
    with refused("timestamp", "the expiry is no point in time", "YYYY-MM-DDTHH:MM:SSZ"):
        parse_timestamp(given, "the expiry")


def test_points_in_time_come_back():
    assert parse_timestamp("2024-02-29T23:59:59Z", "it") == datetime(2024, 2, 29, 23, 59, 59, tzinfo=timezone.utc)
    for moment in ("0001-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59Z"):
        assert format_timestamp(parse_timestamp(moment, "it")) == moment


def test_a_time_is_written_in_utc_and_needs_a_zone():
    east = timezone(timedelta(hours=5, minutes=30))
    assert format_timestamp(datetime(2026, 1, 1, 1, 0, 0, 999_999, tzinfo=east)) == "2025-12-31T19:30:00Z"
    with pytest.raises(ValueError, match="time zone"):
        format_timestamp(datetime(2026, 1, 1))


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1], {"a": 1}])
def test_row_17_only_an_integer_is_an_integer(value):
    with refused("type", "the seats", "an integer"):
        integer(value, "the seats", least=0, most=10)


@pytest.mark.parametrize("value", [-1, 11, 2**52])
def test_row_17_negative_and_huge_limits_are_refused(value):
    with refused("value", "0 to 10"):
        integer(value, "the seats", least=0, most=10)


def test_what_is_right_comes_back():
    assert integer(0, "it", least=0, most=1) == 0
    assert text("Zoë Müller-Łukasz 株式会社 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 👩\u200d🔬", "it")
    assert items([1], "it", least=1, most=1) == [1]
    assert members({"a": 1, "c": 2}, "it", required=("a",), optional=("b", "c")) == {"a": 1, "c": 2}


@pytest.mark.parametrize(
    "value",
    [
        "\x1b[31mred",
        "a\nb",
        "a\tb",
        "\u202egro.elpmaxe",
        "\u2066x",
        "a\u200bb",
        "\ufeffa",
        "a\u2028b",
        "\x7f",
        "\x9b31m",
        "\u0378",
    ],
)
def test_row_18_names_cannot_command_a_terminal(value):
    with refused("characters", "the licensee", "U+"):
        text(value, "the licensee")


def test_row_14_decomposed_names_are_refused():
    with refused("characters", "NFC"):
        text("Zoe\u0308", "the licensee")


@pytest.mark.parametrize("value", [None, 3, ["a"], b"a"])
def test_only_a_text_is_a_text(value):
    with refused("type", "a text"):
        text(value, "the licensee")


@pytest.mark.parametrize("value", ["", "x" * 201])
def test_texts_have_a_length(value):
    with refused("value", "1 to 200"):
        text(value, "the licensee")


def test_row_15_fields_are_exactly_those_that_are_known():
    with refused("missing-field", "no seats", "the license lacks a field"):
        members({}, "the license", required=("seats",))
    with refused("unknown-field", "'critical'"):
        members({"seats": 1, "critical": []}, "the license", required=("seats",))
    with refused("unknown-field", "'s\\u0435ats'"):
        members({"seats": 1, "s\u0435ats": 2}, "the license", required=("seats",))
    with refused("unknown-field", "'\\x1b[2J'"):
        members({"seats": 1, "\x1b[2J": 2}, "the license", required=("seats",))
    with refused("type", "an array", "an object"):
        members([], "the license", required=())
    with refused("type", "an object", "an array"):
        items({}, "the keys", least=0, most=1)
    with refused("value", "1 to 2"):
        items([], "the keys", least=1, most=2)
