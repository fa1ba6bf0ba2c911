# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What documents say is what was written into them; whatever else is in them is refused, in words of ours alone."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from said import PARSE, START, a_license, documents
from signed import KEYS, PRIVATE, refused

from tunesmith.licensing import SignedDocumentError, format_timestamp, parse_json, sign
from tunesmith.licensing.contents import (
    ActivationRequest,
    Licensee,
    Revocation,
    Revocations,
    UsageReport,
    parse_license,
    parse_revocations,
    parse_usage_report,
    read_activation_request,
    read_usage_report,
)
from tunesmith.licensing.contents.parts import of_product, point


def changed(**fields):
    return json.dumps(json.loads(a_license().payload()) | fields).encode()


@settings(max_examples=100, deadline=None)
@given(documents)
def test_what_is_written_is_what_is_read(document):
    assert PARSE[type(document)](document.payload()) == document
    assert PARSE[type(document)](document.payload()).payload() == document.payload()


@settings(max_examples=60, deadline=None)
@given(documents)
def test_no_other_parser_takes_it(document):
    for kind, parse in PARSE.items():
        if kind is not type(document):
            with pytest.raises(SignedDocumentError):
                parse(document.payload())


@settings(max_examples=60, deadline=None)
@given(documents, st.data())
def test_a_field_less_or_of_another_type_is_refused_or_was_optional(document, data):
    value = json.loads(document.payload())
    field = data.draw(st.sampled_from(sorted(value)))
    without = {name: item for name, item in value.items() if name != field}
    try:
        PARSE[type(document)](json.dumps(without).encode())
        optional = True
    except SignedDocumentError as error:
        optional = error.reason not in ("missing-field", "value")  # value: a trial without an end
    if not optional:
        for wrong in (None, [[]], {"": {}}, 1.5, "\x00"):
            with pytest.raises(SignedDocumentError):
                PARSE[type(document)](json.dumps(value | {field: wrong}).encode())


def shown_safely(error):
    assert str(error).replace("\n", "").isprintable()
    assert len(str(error)) < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_whatever_raise_nothing_but_the_format_s_own_error(data):
    for parse in PARSE.values():
        try:
            parse(data)
        except SignedDocumentError as error:
            shown_safely(error)


@settings(max_examples=80, deadline=None)
@given(documents, st.data())
def test_a_good_document_with_any_value_in_any_place_raises_nothing_else(document, data):
    value = json.loads(document.payload())
    holder, name = data.draw(st.sampled_from(list(places(value))))
    holder[name] = data.draw(JSON)
    try:
        found = PARSE[type(document)](json.dumps(value).encode())
    except SignedDocumentError as error:
        shown_safely(error)
    else:
        getattr(found, "grace_until", None)


def places(value):
    listed = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in listed:
        yield value, name
        yield from places(item)


def test_the_json_test_suite_as_a_field_of_a_license(shared):
    """Whatever JSON is refused alone is refused within a license, and what is read alone is read there too."""
    files = sorted((shared / "vectors" / "json_test_suite" / "test_parsing").glob("*.json"))
    if not files:
        pytest.skip("needs the JSON test suite in ../shared/vectors")
    head = a_license().payload()[:-1]
    taken = 0
    for file in files:
        text = file.read_bytes()
        for parse in PARSE.values():
            with pytest.raises(SignedDocumentError):
                parse(text)
        try:
            value = parse_json(text, depth=31)
            alone = True
        except SignedDocumentError:
            alone = False
        try:
            found = parse_license(head + b',"x":' + text + b"}")
        except SignedDocumentError:
            assert not alone, file.name
        else:
            assert alone, file.name
            assert found.extra == {"x": value}
            taken += 1
    assert taken >= 90


def test_no_text_of_a_document_gets_into_an_error():
    """Errors end up in logs; and whoever inspects a document before it is verified has a terminal."""
    for payload in (
        b'{"\\u001b[2J A customer":1}',
        changed(**{"\x1b[2J A customer": 1}),
        changed(product="A customer whom nobody else should know"),
        changed(licensee={"name": "\x1b]0;A customer\x07", "id": "x"}),
        changed(binding={"kind": "A customer", "values": []}),
        changed(environment="A customer"),
        json.dumps({"schema": 1, "A customer": 1}).encode(),
    ):
        with pytest.raises(SignedDocumentError) as caught:
            parse_license(payload)
        assert "A customer" not in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_a_missing_schema_lists_only_what_is_expected():
    with refused("missing-field", "no schema", "schema, product, serial", "critical"):
        parse_license(b'{"x":1}')
    with refused("missing-field", "no schema", "schema, product, number, issued_at, revoked"):
        parse_revocations(b'{"x":1}')


def test_sixty_thousand_unknown_fields_are_refused_at_once():
    payload = changed(**{f"a{number}": 1 for number in range(60_000)})
    began = time.perf_counter()
    with refused("value", "fields of the license that are not known here"):
        parse_license(payload)
    assert time.perf_counter() - began < 2


def test_the_longest_list_of_revocations_is_read_and_one_more_is_not():
    entry = Revocation("license", "lic-1", None, START, "x")
    listed = Revocations("example", 1, START, (entry,) * 10_000)
    assert len(parse_revocations(listed.payload()).entries) == 10_000
    with refused("value", "10001"):
        parse_revocations(Revocations("example", 1, START, (entry,) * 10_001).payload())


def test_a_revocation_meets_serials_up_to_the_one_that_it_names():
    listed = Revocations(
        "example", 1, START, (Revocation("license", "a", 3, START, "x"), Revocation("pool", "a", None, START, "y"))
    )
    assert [listed.find("license", "a", serial) is not None for serial in (1, 3, 4)] == [True, True, False]
    assert [listed.find("pool", "a", serial) is not None for serial in (1, 10**9)] == [True, True]
    assert listed.find("license", "b", 1) is None


@pytest.mark.parametrize("year", [2000, 2026, 9000])
def test_row_21_days_of_grace_can_be_added_to_every_date_that_is_taken(year):
    expires = datetime(year, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    begin = datetime(2000, 1, 1, tzinfo=timezone.utc)
    found = parse_license(a_license(starts_at=begin, expires_at=expires, grace_days=366).payload())
    assert found.grace_until == expires + timedelta(days=366)
    assert parse_license(a_license(expires_at=None).payload()).grace_until is None


@pytest.mark.parametrize("year", [1, 1970, 1999, 9001, 9999])
def test_row_21_a_date_too_far_away_is_refused_with_what_to_do(year):
    moment = format_timestamp(datetime(year, 6, 1, tzinfo=timezone.utc))
    with refused("value", "too far away", moment, "2000 to 9000", "what has no end has no such field"):
        point(moment, "expires_at of the license")


def test_extra_holds_no_field_that_has_an_attribute():
    with pytest.raises(ValueError, match="these are attributes: features, serial"):
        a_license(extra={"serial": 2, "features": {"all": {}}, "color": "blue"}).payload()
    assert parse_license(a_license(extra={"color": "blue"}).payload()).extra == {"color": "blue"}


def test_a_document_for_another_product_says_for_which():
    of_product("example", "example", "the license")
    with refused("other-product", "the license is for another product", "tunesmith-enterprise"):
        of_product("example", "tunesmith-enterprise", "the license")


def request(number):
    return ActivationRequest(
        asks="activate",
        product="example",
        license_id="lic-1",
        install_id="i1",
        key=KEYS[number],
        nonce="n1",
        made_at=START,
    )


def report(number):
    return UsageReport(
        product="example",
        install_id="i1",
        key=KEYS[number],
        since=START,
        until=START + timedelta(days=1),
        made_at=START,
        used=(),
        journal_entries=0,
        journal_head="0" * 64,
    )


@pytest.mark.parametrize(
    ("made", "kind", "read"),
    [(request, "activation-request", read_activation_request), (report, "usage-report", read_usage_report)],
)
def test_what_names_a_key_of_its_own_has_to_be_signed_with_it(made, kind, read):
    assert read(sign(made(1).payload(), kind, [PRIVATE[1]])) == made(1)
    with refused("untrusted"):
        read(sign(made(1).payload(), kind, [PRIVATE[2]]))
    with pytest.raises(SignedDocumentError):
        read(sign(made(1).payload(), "license", [PRIVATE[1]]))


def test_a_report_of_a_use_twice_is_read_as_it_is():
    """Nothing adds up here: whoever counts reads the same lines."""
    value = json.loads(report(1).payload())
    value["used"] = [{"feature": "a", "license_id": "l", "jobs": 1, "most": {}}] * 2
    assert len(parse_usage_report(json.dumps(value).encode()).used) == 2


def test_a_license_of_mappings_and_tuples_is_equal_to_the_one_that_was_read():
    made = a_license(licensee=Licensee("Grüße GmbH", "gruesse"), replaces=("a", "b"))
    found = parse_license(made.payload())
    assert found == made
    assert parse_json(made.payload())["licensee"]["name"] == "Grüße GmbH"
    with pytest.raises(TypeError):
        found.features["distributed"]["gpus"] = 99
