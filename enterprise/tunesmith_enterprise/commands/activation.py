# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license request|activate|deactivate``: a license that is bound to this installation, by files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result

if TYPE_CHECKING:
    from tunesmith.licensing import Document
    from tunesmith.licensing.contents import ActivationResponse, Asked
    from tunesmith_enterprise.entitlement.evidence import Evidence

__all__ = ["activate", "deactivate", "request"]

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="A new file.  [default: stdout]", show_default=False)
]


def request(
    license_id: Annotated[
        str | None,
        typer.Argument(
            metavar="LICENSE_ID", help="As the vendor told you.  [default: the one here]", show_default=False
        ),
    ] = None,
    out: Out = None,
    label: Annotated[str | None, typer.Option("--label", help="What you call this installation.")] = None,
    json: AsJson = False,
) -> None:
    """Ask for a license bound to this installation. A file for you to send; nothing is sent from here."""
    from tunesmith_enterprise.commands.context import look

    evidence = look()
    view = _asked("activate", license_id or _only_license(evidence), evidence, label=label, out=out)
    _print_request(view, json, "send this to the vendor; the answer: `tunesmith license activate FILE`")


def activate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The vendor's answer; - reads stdin.")],
    json: AsJson = False,
) -> None:
    """Take the vendor's answer to a request. It is checked, and the license in it is installed."""
    from tunesmith.licensing import dearmor_all
    from tunesmith.licensing.reasons import about
    from tunesmith_enterprise.commands import pending
    from tunesmith_enterprise.commands.changing import check_root, read_text, write_down
    from tunesmith_enterprise.commands.context import look, places, state
    from tunesmith_enterprise.commands.keeping import file_name, license_folder, licenses_in, write_file
    from tunesmith_enterprise.commands.views import license_view
    from tunesmith_enterprise.entitlement.merging import count

    with about("stdin" if file == "-" else file):
        text = read_text(file)
        documents = dearmor_all(text)
        evidence = look(text)
        check_root(evidence)
        answer = _answer(documents, evidence)
        _fits_license(answer, documents, evidence)
        pending.fits(state(), answer.nonce)
    path = write_file(
        license_folder(places()),
        file_name([one.license_id for one in licenses_in(documents)], documents),
        text,
        shared=False,
    )
    pending.settle(state(), answer.nonce)
    write_down("activated", license_id=answer.license_id, serial=answer.serial, install_id=answer.install_id)
    view = {
        "activated": True,
        "path": str(path),
        "license_id": answer.license_id,
        "serial": answer.serial,
        "install_id": answer.install_id,
        "licenses": [license_view(one) for one in count(evidence) if one.source.place == "argument"],
    }
    if json:
        print_json(view)
        return
    result(f"activated: {answer.license_id}, serial {answer.serial}: {path}")
    note("next: `tunesmith license status`")


def deactivate(
    license_id: Annotated[
        str | None,
        typer.Argument(metavar="LICENSE_ID", help="Which license.  [default: the one here]", show_default=False),
    ] = None,
    out: Out = None,
    json: AsJson = False,
) -> None:
    """Give a license up. It is removed here, with a signed note of it for the vendor; jobs that run go on."""
    from tunesmith.errors import NotFoundError
    from tunesmith_enterprise.commands.changing import write_down
    from tunesmith_enterprise.commands.context import look, places
    from tunesmith_enterprise.commands.keeping import kept_files, license_folder, remove_file

    evidence = look()
    wanted = license_id or _only_license(evidence)
    folder = license_folder(places())
    files = [one for one in kept_files(folder) if wanted in one.ids]
    if not files:
        raise NotFoundError(
            "no such license was installed or activated here",
            given=f"{wanted} in {folder}",
            expected=", ".join(id_ for one in kept_files(folder) for id_ in one.ids) or "nothing: the folder has none",
            fix="see where it is: `tunesmith license show`",
        )
    # The note first: who loses it after the removal has given the license up and cannot say so.
    view = _asked("deactivate", wanted, evidence, label=None, out=out)
    for one in files:
        remove_file(one.path)
    write_down("deactivated", license_id=wanted, paths=[str(one.path) for one in files])
    view["removed"] = [str(one.path) for one in files]
    _print_request(view, json, f"{wanted} was removed here; send this to the vendor, who then frees it")


def _only_license(evidence: Evidence) -> str:
    from tunesmith.errors import NotFoundError

    ids = sorted({one.license.license_id for one in evidence.held})
    if len(ids) == 1:
        return ids[0]
    raise NotFoundError(
        "say which license this is about",
        given=f"{len(ids)} licenses here" + (f": {', '.join(ids)}" if ids else ""),
        expected="the ID of one, as the vendor told you",
        fix="`tunesmith license request LICENSE_ID`",
    )


def _asked(asks: Asked, license_id: str, evidence: Evidence, *, label: str | None, out: Path | None) -> dict[str, Any]:
    """Make a request, keep its nonce, and write it."""
    from tunesmith.licensing import PublicKey, SignedDocumentError, armor, sign
    from tunesmith.licensing.contents import ActivationRequest
    from tunesmith.licensing.contents.parts import identifier
    from tunesmith.licensing.fields import text
    from tunesmith_enterprise.commands import pending
    from tunesmith_enterprise.commands.changing import write_down
    from tunesmith_enterprise.commands.context import state
    from tunesmith_enterprise.commands.keeping import write_new
    from tunesmith_enterprise.entitlement.build import PRODUCT
    from tunesmith_enterprise.entitlement.install import installation

    try:
        identifier(license_id, "the license's id")
        if label is not None:
            text(label, "the label")
    except SignedDocumentError as error:
        raise typer.BadParameter(f"{error.what}: expected {error.expected}") from None
    now = evidence.facts.now
    mine = installation(state(), os.environ, now=now)
    made = ActivationRequest(
        asks=asks,
        product=PRODUCT,
        license_id=license_id,
        install_id=mine.install_id,
        key=PublicKey.of(mine.key),
        nonce=os.urandom(16).hex(),
        made_at=now,
        label=label,
    )
    armored = armor(sign(made.payload(), "activation-request", [mine.key]))
    if asks == "activate":
        pending.keep(state(), made)
    if out is not None:
        write_new(out, armored)
    write_down(f"{asks}-requested", license_id=license_id, install_id=mine.install_id)
    return {
        "asks": asks,
        "license_id": license_id,
        "install_id": mine.install_id,
        "path": None if out is None else str(out),
        "request": armored if out is None else None,
    }


def _answer(documents: list[Document], evidence: Evidence) -> ActivationResponse:
    """The vendor's answer in a text, if it is one for this installation."""
    from tunesmith.licensing import refusal
    from tunesmith.licensing.contents import parse_activation_response
    from tunesmith_enterprise.entitlement.build import PRODUCT

    answers = [one for one in documents if one.kind == "activation-response"]
    if len(answers) != 1:
        raise refusal(
            "wrong-kind",
            "this is not the vendor's answer to a request",
            given=" and ".join(one.kind for one in documents[:4]),
            expected="one activation response, and the license that it speaks of",
            fix="`tunesmith license install FILE`, if this is a license that needs no activation",
        )
    assert evidence.trust is not None
    answer = parse_activation_response(evidence.trust.verify(answers[0].envelope, "activation-response"))
    if answer.product != PRODUCT:
        raise refusal(
            "other-product",
            "this answer is for another product",
            given=answer.product,
            expected=PRODUCT,
            fix="look for the file that belongs to this product",
        )
    if answer.install_id != evidence.facts.install_id:
        raise refusal(
            "value",
            "this answer is for another installation",
            given=f"for {answer.install_id}, and this is {evidence.facts.install_id or 'one without an id'}",
            expected="the answer to a request that was made here",
            fix=["activate it where the request was made", "or make a request here: `tunesmith license request`"],
        )
    return answer


def _fits_license(answer: ActivationResponse, documents: list[Document], evidence: Evidence) -> None:
    """The license of the answer is in the same text, and is believed."""
    from hashlib import sha256

    from tunesmith.licensing import refusal

    hashes = {sha256(one.envelope).hexdigest() for one in documents if one.kind == "license"}
    if answer.license_sha256 not in hashes:
        raise refusal(
            "value",
            "the license that this answer speaks of is not in the same file",
            given=f"{len(hashes)} licenses, none of which is that one",
            expected=f"{answer.license_id}, serial {answer.serial}, as the vendor sent it",
            fix="use the answer as it was received, whole",
        )
    for refused in evidence.refused:
        if refused.source.place == "argument":
            raise refused.error
    held = [one.license for one in evidence.held if one.sha256 == answer.license_sha256]
    if [(one.license_id, one.serial) for one in held] != [(answer.license_id, answer.serial)]:
        newest = next((one.license for one in evidence.held if one.license.license_id == answer.license_id), None)
        raise refusal(
            "value",
            "the answer and its license do not fit, or a newer license is here already",
            given=f"{answer.license_id}, serial {answer.serial}",
            expected="the answer to the last request" if newest is None else f"more than serial {newest.serial}",
            fix="`tunesmith license status` says what is here; otherwise ask the vendor",
        )


def _print_request(view: dict[str, Any], json: bool, next_: str) -> None:
    if json:
        print_json(view)
        return
    if view["request"] is not None:
        typer.echo(view["request"], nl=False)
    else:
        result(f"written: {view['path']}")
    note(next_)
