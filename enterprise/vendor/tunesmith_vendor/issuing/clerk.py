# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Carrying out an act: into the ledger, to its approval, to the keys, into a file; in this order, whatever breaks off.

A key is opened before anything is entered, so that a wrong passphrase leaves nothing behind. An act that was entered
and not signed (a crash, a key service that did not answer) is finished with :meth:`Clerk.finish`, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import ROLE_OF, Kind, armor, dearmor_all, parse_timestamp, seal, signed_bytes
from tunesmith.licensing.contents import ActivationResponse, Revocation, Revocations, parse_revocations
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.acts import Progress, needs_approval, progress
from tunesmith_vendor.ledger.chain import Entry, digest
from tunesmith_vendor.ledger.records import find_record, latest_revocations
from tunesmith_vendor.ledger.store import Ledger, Operator, Reading, Writing
from tunesmith_vendor.passphrases import Ask

__all__ = ["Clerk", "Done", "Plan", "next_list"]

Seal = Callable[[bytes, Kind], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An act that is to be entered.

    Attributes:
        action: one of ``acts.ACTS``.
        kind: of the document to sign; None: nothing is signed.
        payload: what is signed; None also for a revocation that waits for its approval.
        subject, serial, customer, customer_name, order_number, install_id, expires_at: as in :class:`Entry`.
        details: facts of this action.
    """

    action: str
    kind: Kind | None
    payload: bytes | None
    subject: str | None = None
    serial: int | None = None
    customer: str | None = None
    customer_name: str | None = None
    order_number: str | None = None
    install_id: str | None = None
    expires_at: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def enter(self, pen: Writing, reason: str) -> Entry:
        """Add it to the ledger."""
        approval = needs_approval(pen, self.action)
        return pen.add(
            self.action,
            reason=reason,
            order_number=self.order_number,
            subject=self.subject,
            serial=self.serial,
            customer=self.customer,
            customer_name=self.customer_name,
            install_id=self.install_id,
            expires_at=self.expires_at,
            # The number of a list of revocations is given when it is decided on, or two proposals had the same.
            payload=None if approval and self.kind == "revocations" else self.payload,
            details={"approval": approval, "kind": self.kind, **self.details},
        )


Planning = Callable[[Reading], Plan]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it.

    Attributes:
        plan: what was planned; None: the act was in the ledger before.
        act: its entry; None: a dry run.
        progress: how far it has come; None: a dry run.
        text: the documents, armored, behind the chain of roots; None: nothing is signed, or not yet.
        payload: what is, or will be, signed; None also for a revocation that waits for its approval.
    """

    plan: Plan | None
    act: Entry | None
    progress: Progress | None
    text: str | None
    payload: bytes | None

    def without_text(self) -> Done:
        """The same, for showing only."""
        return replace(self, text=None)


class Clerk:
    """Does what an operator asks for.

    Args:
        keys: names of the keys to sign with; none: those of the desk, if that is clear.
        ask: for passphrases.
        now: aware, UTC.
    """

    def __init__(
        self, desk: Desk, ledger: Ledger, operator: Operator, ask: Ask, *, keys: Sequence[str] = (), now: datetime
    ) -> None:
        self.desk, self.ledger, self.operator, self.now = desk, ledger, operator, now
        self._ask, self._keys = ask, tuple(keys)

    def carry_out(self, planning: Planning, *, reason: str = "", dry_run: bool = False) -> Done:
        """Enter an act and, unless somebody has to approve it, sign it.

        Args:
            planning: asked once before, and once more while nobody else can write: that answer counts.
            reason: for people, into the ledger.
            dry_run: enter nothing, sign nothing, ask for no passphrase.
        """
        with self.ledger.reading() as reading:
            plan = planning(reading)
            approval = needs_approval(reading, plan.action)
        if dry_run:
            if plan.kind is not None and not approval:
                self.desk.signers_for(plan.kind, self._keys)
            return Done(plan, None, None, None, plan.payload)
        seal_with = None if plan.kind is None or approval else self._open(plan.kind)

        def enter(pen: Writing) -> tuple[Entry, Progress]:
            act = planning(pen).enter(pen, reason)
            return act, progress(pen, act)

        act, come = self.ledger.write(self.operator, enter, now=self.now)
        if come != "unsigned" or seal_with is None:
            return Done(plan, act, come, None, act.payload)
        return self._sign(act, act, seal_with, plan)

    def approve(self, seq: int, *, reason: str = "") -> Done:
        """Approve what another operator proposed, and sign it.

        Raises:
            VendorError: it waits for no approval, or this operator proposed it, or the license has changed since.
        """
        act = self._act(seq, "proposed", "waits for no approval")
        if act.operator == self.operator.name:
            raise VendorError(
                "who proposes does not approve",
                given=f"entry {seq:,}, proposed by {act.operator}",
                expected="another operator",
                fix="have somebody else run this command under their own account",
            )
        kind: Kind | None = act.facts["kind"]
        seal_with = None if kind is None else self._open(kind)

        def enter(pen: Writing) -> tuple[Entry, Progress]:
            _refuse_progress(pen, act, "proposed", "waits for no approval")
            _refuse_outdated(pen, act)
            payload, details = None, {}
            if kind == "revocations":
                payload = next_list(pen, revocation_in(act), pen.now).payload()
                details = {"kind": kind}
            decided = pen.add(
                "approve", refers_to=seq, subject=act.subject, reason=reason, payload=payload, details=details
            )
            return decided, progress(pen, act)

        decided, come = self.ledger.write(self.operator, enter, now=self.now)
        if come != "unsigned" or seal_with is None:
            return Done(None, act, come, None, act.payload)
        return self._sign(act, act if decided.payload is None else decided, seal_with, None)

    def reject(self, seq: int, *, reason: str) -> Done:
        """End a proposal; also for whoever made it. Its serial is not used again."""
        act = self._act(seq, "proposed", "waits for no approval")

        def enter(pen: Writing) -> Progress:
            _refuse_progress(pen, act, "proposed", "waits for no approval")
            pen.add("reject", refers_to=seq, subject=act.subject, reason=reason)
            return progress(pen, act)

        return Done(None, act, self.ledger.write(self.operator, enter, now=self.now), None, act.payload)

    def finish(self, seq: int) -> Done:
        """Sign an act that was entered, and was interrupted before it was signed."""
        act = self._act(seq, "unsigned", "does not wait to be signed")
        with self.ledger.reading() as reading:
            followers = [entry for entry in reading.followers(seq) if entry.payload is not None]
        return self._sign(act, followers[0] if followers else act, self._open(act.facts["kind"]), None)

    def printed(self, seq: int) -> Done:
        """An act again, with its documents if it was signed."""
        with self.ledger.reading() as reading:
            act = reading.entry(seq)
            come = progress(reading, act)
            followers = reading.followers(seq)
        signed = next((entry for entry in followers if entry.action == "sign"), None)
        payload = next((entry.payload for entry in (act, *followers) if entry.payload is not None), None)
        text = None if signed is None else self._behind_roots(signed.documents or "")
        return Done(None, act, come, text, payload)

    def refuse_unbelieved(self, done: Done) -> None:
        """Whoever sends a document again should not find out from the customer that its key was replaced meanwhile.

        Raises:
            VendorError: the newest root names no key that signed it.
        """
        trust = self.desk.trust()
        for document in dearmor_all(done.text or ""):
            if document.kind == "root":
                continue
            try:
                trust.verify(document.envelope, document.kind)
            except SignedDocumentError as error:
                raise VendorError(
                    "customers would not believe this document any more",
                    given=f"a {document.kind}: {error.what}",
                    expected="a signature by a key of the newest root",
                    fix="`tunesmith-vendor reissue` signs it with a key that counts",
                ) from None

    def _act(self, seq: int, wanted: Progress, otherwise: str) -> Entry:
        with self.ledger.reading() as reading:
            act = reading.entry(seq)
            _refuse_progress(reading, act, wanted, otherwise)
        return act

    def _open(self, kind: Kind) -> Seal:
        """The keys for a kind of document, opened now: here a passphrase is asked for."""
        role = ROLE_OF[kind]
        trust = self.desk.trust()
        opened = {
            entry.public: self.desk.signer(entry.name, role, self._ask)
            for entry in self.desk.signers_for(kind, self._keys)
        }

        def made(payload: bytes, of: Kind) -> bytes:
            message = signed_bytes(payload, of)
            envelope = seal(payload, of, {public: sign(message) for public, sign in opened.items()})
            trust.verify(envelope, of)  # nothing leaves the desk that a customer's installation would refuse
            return envelope

        return made

    def _sign(self, act: Entry, source: Entry, seal_with: Seal, plan: Plan | None) -> Done:
        kind: Kind = act.facts["kind"]
        assert source.payload is not None
        envelope = seal_with(source.payload, kind)
        documents = armor(envelope)
        if act.action == "activate":
            documents += armor(seal_with(_answer(act, envelope, self.now).payload(), "activation-response"))

        def enter(pen: Writing) -> None:
            _refuse_progress(pen, act, "unsigned", "was signed by somebody else meanwhile")
            pen.add(
                "sign",
                refers_to=act.seq,
                subject=act.subject,
                serial=act.serial,
                payload_sha256=source.payload_sha256,
                documents=documents,
            )

        self.ledger.write(self.operator, enter, now=self.now)
        return Done(plan, act, "signed", self._behind_roots(documents), source.payload)

    def _behind_roots(self, documents: str) -> str:
        return "".join(map(armor, self.desk.chain())) + documents


def next_list(reading: Reading, entry: Revocation, now: datetime) -> Revocations:
    """The list that follows the newest one, with one entry more.

    Raises:
        VendorError: that entry revokes nothing that is not revoked.
        SignedDocumentError: no customer could read that list.
    """
    newest = latest_revocations(reading)
    before = newest.entries if newest else ()
    met = next((one for one in before if one.kind == entry.kind and one.id == entry.id), None)
    if met is not None and (met.up_to is None or (entry.up_to is not None and entry.up_to <= met.up_to)):
        raise VendorError(
            "this is revoked already",
            given=f"{entry.id}, {'all serials' if met.up_to is None else f'up to serial {met.up_to}'}",
            expected="more than that: a revocation is not taken back",
        )
    kept = tuple(one for one in before if not (one.kind == entry.kind and one.id == entry.id))
    listed = Revocations(reading.product(), newest.number + 1 if newest else 1, now, (*kept, entry))
    return parse_revocations(listed.payload())  # too many entries, say


def revocation_in(act: Entry) -> Revocation:
    """What a revocation that waits for its approval is to revoke."""
    facts = act.facts
    assert act.subject is not None
    return Revocation(facts["revoked"], act.subject, facts["up_to"], parse_timestamp(act.at, "the time"), act.reason)


def _answer(act: Entry, envelope: bytes, now: datetime) -> ActivationResponse:
    facts = act.facts
    assert act.install_id is not None
    assert act.subject is not None
    assert act.serial is not None
    return ActivationResponse(
        product=facts["product"],
        install_id=act.install_id,
        nonce=facts["nonce"],
        license_id=act.subject,
        serial=act.serial,
        license_sha256=digest(envelope),
        made_at=now,
    )


def _refuse_progress(reading: Reading, act: Entry, wanted: Progress, otherwise: str) -> None:
    come = progress(reading, act)
    if come != wanted:
        raise VendorError(
            f"this act {otherwise}",
            given=f"entry {act.seq:,}, {act.action}: {come}",
            fix=f"`tunesmith-vendor show {act.seq}` shows it",
        )


def _refuse_outdated(reading: Reading, act: Entry) -> None:
    """Two proposals that were made from one serial would undo each other."""
    base = act.facts.get("base")
    if base is None or act.subject is None:
        return
    known = find_record(reading, act.subject)
    if known is not None and known.content.serial != base:
        raise VendorError(
            "the license has changed since this was proposed",
            given=f"made from serial {base}; by now there is serial {known.content.serial}",
            fix=f"`tunesmith-vendor reject {act.seq}`, and propose it anew",
        )
