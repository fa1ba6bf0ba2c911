# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Roots: drafts that are carried about, thresholds, rotations, and every way in which that goes wrong."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, Trust
from tunesmith_vendor import keys, roots
from tunesmith_vendor.desk import ALWAYS, Desk
from tunesmith_vendor.drafts import Draft, read_draft
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.key_files import Cost, new_private_key
from tunesmith_vendor.roots import Change

Ask = Callable[[str], str]
CHEAP = Cost(n=2, r=1, p=1)
PASSPHRASE = "six words that dice have drawn"
EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)


def signed(desk: Desk, draft: Draft, names: tuple[str, ...], ask: Ask) -> Draft:
    for name in names:
        draft = draft.signed_with(desk.register().find(name).public, desk.signer(name, "root", ask))
    return draft


def rotated(desk: Desk, ask: Ask, signers: tuple[str, ...] = ("root-1", "root-2"), **change: object) -> Draft:
    """The next root, which these have signed and which has joined the chain."""
    fields: dict[str, object] = {"replace": {}, "keys": {}, "thresholds": {}}
    draft = signed(desk, roots.next_draft(desk, Change(**(fields | change)), EXPIRES), signers, ask)  # type: ignore[arg-type]
    assert roots.join(desk, draft)
    return draft


def test_two_of_three_make_a_root_in_any_order(bare_desk: Desk, first_draft: Draft, ask: Ask) -> None:
    envelopes = set()
    for pair in itertools.permutations(("root-1", "root-2", "root-3"), 2):
        draft = signed(bare_desk, first_draft, pair, ask)
        assert draft.complete
        assert Trust.start(draft.envelope()).root.version == 1
        envelopes.add(draft.envelope())
    assert len(envelopes) == 3, "two holders make one root, whoever of them signs first"


def test_one_of_three_is_not_enough(bare_desk: Desk, first_draft: Draft, ask: Ask) -> None:
    draft = signed(bare_desk, first_draft, ("root-2",), ask)
    assert not draft.complete
    with pytest.raises(VendorError) as caught:
        roots.join(bare_desk, draft)
    assert "too few have signed version 1 of the root" in str(caught.value)
    assert "have it signed by root-1 or root-3" in str(caught.value)
    assert bare_desk.chain() == ()


def test_holders_need_nothing_but_the_draft_and_their_own_key(tmp_path: Path, ask: Ask) -> None:
    """Four desks on four machines: three holders, and one that collects."""
    office, holders = Desk(tmp_path / "office", CHEAP), [Desk(tmp_path / f"holder-{n}", CHEAP) for n in (1, 2, 3)]
    for number, holder in enumerate(holders, 1):
        entry = keys.make_key(holder, "mine", "root", ask)
        keys.import_public(office, f"holder-{number}", "root", entry.public)
    keys.make_key(office, "issuer-1", "issuer", ask)
    keys.make_key(office, "revoker-1", "revocation", ask)
    names = ["holder-1", "holder-2", "holder-3"]
    draft = roots.first_draft(
        office,
        {"root": names, "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
        {"root": 2, "issuer": 1, "revocation": 1},
        EXPIRES,
    )
    copies = []
    for holder in (holders[2], holders[0]):  # at the same time, each a copy of its own
        carried = read_draft(draft.to_json(), "draft")
        copies.append(signed(holder, carried, ("mine",), ask).to_json())
    one, two = (read_draft(copy, "draft") for copy in copies)
    assert not one.complete
    assert not two.complete
    together = one.joined(two)
    assert together.complete
    assert roots.join(office, together)
    assert roots.join(holders[1], together), "a holder's desk learns the root as well"
    assert office.trust().root == holders[1].trust().root
    assert not roots.join(office, together), "it is there already"


def test_the_same_key_twice_counts_once_and_is_said(bare_desk: Desk, first_draft: Draft, ask: Ask) -> None:
    draft = signed(bare_desk, first_draft, ("root-1",), ask)
    with pytest.raises(VendorError) as caught:
        signed(bare_desk, draft, ("root-1",), ask)
    assert "this key has signed this draft already, and counts once" in str(caught.value)
    assert "root-2, root-3" in str(caught.value)


def test_a_key_that_is_not_in_the_draft_is_refused_before_its_passphrase(bare_desk: Desk, first_draft: Draft) -> None:
    stranger = keys.make_key(bare_desk, "root-9", "root", lambda _: "six words that dice have drawn").public

    def never(_: bytes) -> bytes:
        raise AssertionError("signed")

    with pytest.raises(VendorError) as caught:
        first_draft.signed_with(stranger, never)
    assert "not among those whose signatures count for this root" in str(caught.value)
    assert "root-1" in str(caught.value)


@pytest.mark.parametrize("threshold", [0, 4, 17])
def test_an_impossible_threshold_is_refused(bare_desk: Desk, threshold: int) -> None:
    with pytest.raises(SignedDocumentError) as caught:
        roots.first_draft(
            bare_desk,
            {"root": ["root-1", "root-2", "root-3"], "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
            {"root": threshold, "issuer": 1, "revocation": 1},
            EXPIRES,
        )
    assert caught.value.reason == "root-threshold"
    assert "1 to 3, the number of its keys" in str(caught.value)


def test_a_key_twice_or_of_another_role_makes_no_root(bare_desk: Desk) -> None:
    thresholds = {"root": 1, "issuer": 1, "revocation": 1}
    with pytest.raises(SignedDocumentError) as caught:
        roots.first_draft(
            bare_desk,
            {"root": ["root-1", "root-1"], "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
            thresholds,  # type: ignore[arg-type]
            EXPIRES,
        )
    assert caught.value.reason == "root-shared-key"
    with pytest.raises(VendorError, match="a key has one role"):
        roots.first_draft(
            bare_desk,
            {"root": ["issuer-1"], "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
            thresholds,  # type: ignore[arg-type]
            EXPIRES,
        )


def test_a_second_first_root_is_refused(desk: Desk, first_draft: Draft, ask: Ask) -> None:
    with pytest.raises(VendorError, match="this desk has a root already"):
        roots.first_draft(desk, {"root": [], "issuer": [], "revocation": []}, {}, EXPIRES)


def test_an_issuer_key_is_replaced_and_the_old_one_counts_no_more(desk: Desk, ask: Ask) -> None:
    old = desk.register().find("issuer-1").public
    new = keys.make_key(desk, "issuer-2", "issuer", ask).public
    draft = rotated(desk, ask, replace={"issuer-1": "issuer-2"})
    assert roots.changes(draft) == [
        f"issuer: takes in issuer-2 {new.keyid[:16]}…",
        f"issuer: drops issuer-1 {old.keyid[:16]}…, which signs nothing any more",
    ]
    assert desk.trust().root.version == 2
    assert desk.trust().root.roles["issuer"].keys == (new,)
    assert [entry.name for entry in desk.signers_for("license")] == ["issuer-2"]


def test_a_replaced_root_key_needs_thresholds_of_both_roots(desk: Desk, ask: Ask) -> None:
    for name in ("root-4", "root-5"):
        keys.make_key(desk, name, "root", ask)
    change = Change({"root-1": "root-4", "root-2": "root-5"}, {}, {})
    draft = roots.next_draft(desk, change, EXPIRES)
    both = signed(desk, draft, ("root-4", "root-5"), ask)
    assert not both.complete, "two of the new ones, none of the old ones"
    with pytest.raises(VendorError, match="0 of the root keys of version 1"):
        roots.join(desk, both)
    assert not signed(desk, draft, ("root-1", "root-2"), ask).complete, "two of the old ones, none of the new ones"
    assert signed(desk, draft, ("root-1", "root-3", "root-5"), ask).complete, "root-3 is of both"
    assert roots.join(desk, signed(desk, draft, ("root-1", "root-2", "root-4", "root-5"), ask))
    assert desk.trust().root.version == 2


def test_every_installation_can_follow_all_rotations(desk: Desk, ask: Ask) -> None:
    start = Trust.start(desk.chain()[0])
    for _ in range(5):
        rotated(desk, ask)
    assert start.follow(desk.chain(), now=ALWAYS).root.version == 6


def test_lists_and_thresholds_can_be_set_anew(desk: Desk, ask: Ask) -> None:
    keys.make_key(desk, "issuer-2", "issuer", ask)
    draft = rotated(desk, ask, keys={"issuer": ["issuer-1", "issuer-2"]}, thresholds={"issuer": 2})
    assert "issuer: 2 have to sign, and no longer 1" in roots.changes(draft)
    assert len(desk.signers_for("license")) == 2
    with pytest.raises(VendorError, match="too few keys for a license"):
        desk.signers_for("license", ["issuer-1"])


def test_a_name_that_is_no_key_of_the_root_replaces_nothing(desk: Desk, ask: Ask) -> None:
    keys.make_key(desk, "issuer-2", "issuer", ask)
    with pytest.raises(VendorError, match="no key of the newest root is called so"):
        roots.next_draft(desk, Change({"issuer-7": "issuer-2"}, {}, {}), EXPIRES)
    with pytest.raises(VendorError, match="a key has one role"):
        roots.next_draft(desk, Change({"root-1": "issuer-2"}, {}, {}), EXPIRES)


def test_a_key_whose_name_is_lost_is_replaced_by_the_beginning_of_its_id(desk: Desk, ask: Ask) -> None:
    keyid = desk.register().find("issuer-1").public.keyid
    keys.make_key(desk, "issuer-2", "issuer", ask)
    draft = roots.next_draft(desk, Change({keyid[:12]: "issuer-2"}, {}, {}), EXPIRES)
    assert keyid not in {key.keyid for key in draft.root.roles["issuer"].keys}


def test_of_two_drafts_of_one_version_the_second_comes_too_late(desk: Desk, ask: Ask) -> None:
    keys.make_key(desk, "issuer-2", "issuer", ask)
    overtaken = signed(desk, roots.next_draft(desk, Change({}, {}, {}), EXPIRES), ("root-1", "root-2"), ask)
    rotated(desk, ask, replace={"issuer-1": "issuer-2"})
    with pytest.raises(VendorError, match="does not follow from the roots of this desk"):
        roots.join(desk, overtaken)
    assert desk.trust().root.version == 2


def test_a_root_of_another_vendor_does_not_join(desk: Desk, tmp_path: Path, ask: Ask) -> None:
    other = Desk(tmp_path / "other", CHEAP)
    for name, role in (("root-1", "root"), ("issuer-1", "issuer"), ("revoker-1", "revocation")):
        keys.make_key(other, name, role, ask)  # type: ignore[arg-type]
    draft = roots.first_draft(
        other,
        {"root": ["root-1"], "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
        {"root": 1, "issuer": 1, "revocation": 1},
        EXPIRES,
    )
    with pytest.raises(VendorError, match="another history"):
        roots.join(desk, signed(other, draft, ("root-1",), ask))


def test_copies_of_different_drafts_are_not_put_together(desk: Desk) -> None:
    one = roots.next_draft(desk, Change({}, {}, {}), EXPIRES)
    two = roots.next_draft(desk, Change({}, {}, {}), EXPIRES.replace(year=2041))
    with pytest.raises(VendorError, match="drafts of different roots"):
        one.joined(two)


def change_of(draft: Draft, **fields: object) -> bytes:
    return json.dumps(json.loads(draft.to_json()) | fields).encode()


def test_a_draft_that_was_changed_after_signing_is_refused(bare_desk: Desk, first_draft: Draft, ask: Ask) -> None:
    draft = signed(bare_desk, first_draft, ("root-1",), ask)
    assert read_draft(draft.to_json(), "draft") == draft
    stranger = PublicKey.of(new_private_key()).text
    payload = json.loads(draft.payload)
    payload["roles"]["issuer"]["keys"] = [stranger]
    swapped = change_of(draft, payload=b64encode(json.dumps(payload).encode()).decode())
    with pytest.raises(VendorError) as caught:
        read_draft(swapped, "root-1.draft.json")
    assert "was changed after signing" in str(caught.value)
    assert "do not sign it" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"no JSON", b'{"schema":2}', b"\xff", b'{"schema":1,"schema":1}'],
)
def test_what_is_no_draft_is_refused_with_one_error(content: bytes) -> None:
    with pytest.raises(VendorError, match="this is no draft of a root"):
        read_draft(content, "file")


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": "!!"},
        {"payload": 1},
        {"before": "-----BEGIN TUNESMITH ROOT-----"},
        {"signatures": {"00": "AA=="}},
        {"signatures": []},
        {"names": {"a": "\x1b[31m"}},
        {"more": 1},
        {"schema": True},
    ],
)
def test_a_damaged_draft_is_refused(first_draft: Draft, fields: dict[str, object]) -> None:
    with pytest.raises(VendorError, match="draft"):
        read_draft(change_of(first_draft, **fields), "file")


def test_a_draft_that_leaves_a_version_out_is_refused(desk: Desk, first_draft: Draft) -> None:
    following = roots.next_draft(desk, Change({}, {}, {}), EXPIRES)
    with pytest.raises(VendorError, match="does not follow the roots that it carries"):
        read_draft(change_of(following, before=""), "file")
    with pytest.raises(VendorError, match="does not follow the roots that it carries"):
        read_draft(change_of(first_draft, before=json.loads(following.to_json())["before"]), "file")


def test_nothing_secret_is_in_a_draft(bare_desk: Desk, first_draft: Draft, ask: Ask) -> None:
    content = signed(bare_desk, first_draft, ("root-1",), ask).to_json()
    assert set(json.loads(content)) == {"schema", "draft", "payload", "before", "names", "signatures"}
    assert b"PRIVATE" not in content


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_draft_with_one_byte_changed_is_refused_or_says_the_same(
    bare_desk: Desk, first_draft: Draft, data: st.DataObject
) -> None:
    """Nothing that is signed can change unnoticed; hints such as names can, and are for showing only."""
    draft = signed(bare_desk, first_draft, ("root-1",), lambda _: PASSPHRASE)
    content = bytearray(draft.to_json())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    try:
        found = read_draft(bytes(content), "file")
    except VendorError:
        return
    assert (found.payload, found.before, found.signatures) == (draft.payload, draft.before, draft.signatures)


@given(content=st.binary(max_size=300) | st.dictionaries(st.text(), st.text()).map(lambda d: json.dumps(d).encode()))
@settings(max_examples=100, deadline=None)
def test_whatever_bytes_are_no_draft_with_one_error(content: bytes) -> None:
    with pytest.raises(VendorError):
        read_draft(content, "file")
