# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license install|remove``: put license files into the folders that are searched, and take them away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result, state_text

if TYPE_CHECKING:
    from tunesmith.licensing import Document
    from tunesmith_enterprise.entitlement.evidence import Evidence

__all__ = ["check_documents", "check_root", "install", "read_text", "remove", "take_in", "write_down"]

_UNKNOWN_KEYS = ("untrusted", "other-key", "root-gap")
"""Reasons that a newer build, or a newer root, may make go away."""

System = Annotated[bool, typer.Option("--system", help="For everybody on this machine; needs an administrator.")]


def install(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file that the vendor sent; - reads stdin.")],
    system: System = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Keep it although this build does not know the keys that signed it yet."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Check a license and keep it. The file stays whole, with everything that is in it."""
    from tunesmith.licensing.reasons import about

    with about("stdin" if file == "-" else file):
        view = take_in(read_text(file), file, system=system, anyway=anyway)
    if json:
        print_json(view)
    else:
        _print_installed(view)


def read_text(file: str) -> bytes:
    """What is in a file, or comes through stdin for ``-``.

    Raises:
        SignedDocumentError: it cannot be read, or is too large.
    """
    from tunesmith.licensing.armor import TEXT
    from tunesmith.licensing.files import read_text_file

    return sys.stdin.buffer.read(TEXT + 1) if file == "-" else read_text_file(file)


def take_in(text: bytes, file: str, *, system: bool, anyway: bool) -> dict[str, Any]:
    """Check the documents of a text, and keep it whole if all of it is of use.

    Returns:
        What ``install --json`` prints.

    Raises:
        SignedDocumentError: a document is damaged, not signed by the vendor, or for another product.
        LicenseError: this build has no root.
        OutputError: it cannot be written.
    """
    from tunesmith.licensing import SignedDocumentError, dearmor_all
    from tunesmith_enterprise.commands.context import look, places
    from tunesmith_enterprise.commands.keeping import file_name, license_folder, licenses_in, write_file
    from tunesmith_enterprise.commands.views import license_view
    from tunesmith_enterprise.entitlement.merging import count

    documents = dearmor_all(text)
    check_documents(documents)
    evidence = look(text)
    check_root(evidence)
    unknown: SignedDocumentError | None = None
    for one in evidence.refused:
        if one.source.place != "argument":
            continue
        if not (anyway and one.error.reason in _UNKNOWN_KEYS):
            raise one.error
        unknown = one.error
    listed = licenses_in(documents)
    ids = sorted({one.license_id for one in listed})
    newest = {(held.license.under, held.license.license_id): held.license.serial for held in evidence.held}
    older = [one.license_id for one in listed if one.serial < newest.get((one.under, one.license_id), 0)]
    view: dict[str, Any] = {
        "installed": False,
        "path": None,
        "documents": [document.kind for document in documents],
        "licenses": [license_view(one) for one in count(evidence) if one.source.place == "argument"],
        "notes": list(evidence.notes),
    }
    if listed and len(older) == len(listed):
        view["notes"].append(f"a newer issue of {' and '.join(older)} is here already; nothing was changed")
        return view
    if unknown is not None:
        view["notes"].append(f"it is kept, but counts only when a newer build or root knows its keys: {unknown.what}")
    folder = license_folder(places(), system=system)
    path = write_file(folder, file_name(ids, documents), text, shared=system)
    view.update(installed=True, path=str(path))
    write_down("license-installed", ids=ids, path=str(path), of="stdin" if file == "-" else file)
    return view


def remove(
    license_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Of the license: `tunesmith license show`.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All licenses of the folder.")] = False,
    with_others: Annotated[
        bool, typer.Option("--with-others", help="Also where a file holds other licenses, which go with it.")
    ] = False,
    system: System = False,
    json: AsJson = False,
) -> None:
    """Remove a license from your folder. Jobs that run are not touched."""
    from tunesmith.errors import NotFoundError, RunError
    from tunesmith_enterprise.commands.context import places
    from tunesmith_enterprise.commands.keeping import kept_files, license_folder, remove_file

    if (license_id is None) == (not every):
        raise typer.BadParameter("give the ID of a license, or --all")
    folder = license_folder(places(), system=system)
    files = [one for one in kept_files(folder) if every or license_id in one.ids]
    if not files and not every:
        raise NotFoundError(
            "no such license is there to be removed",
            given=f"{license_id} in {folder}",
            expected=", ".join(id_ for one in kept_files(folder) for id_ in one.ids) or "nothing: the folder has none",
            fix=[
                "see where it is: `tunesmith license show`",
                "what comes from a variable, the settings or a secret store is taken away there",
            ],
        )
    others = sorted({id_ for one in files for id_ in one.ids if id_ != license_id}) if not every else []
    if others and not with_others:
        raise RunError(
            "the file holds other licenses as well, which would go with it",
            given=f"{', '.join(str(one.path) for one in files)}: also {', '.join(others)}",
            expected="--with-others, if they are to go too",
            fix="or install the file of the others again afterwards",
        )
    for one in files:
        remove_file(one.path)
    ids = sorted({id_ for one in files for id_ in one.ids})
    write_down("license-removed", ids=ids, paths=[str(one.path) for one in files])
    if json:
        print_json({"removed": [{"path": str(one.path), "ids": list(one.ids)} for one in files]})
        return
    for one in files:
        result(f"removed {', '.join(one.ids) or 'a file without a license'}: {one.path}")
    if not files:
        note(f"there is nothing in {folder}")


def check_documents(documents: list[Document]) -> None:
    from tunesmith.licensing import refusal

    strange = [one.kind for one in documents if one.kind not in ("license", "root", "revocations")]
    if strange == ["pool"]:
        raise refusal(
            "wrong-kind",
            "this is a pool of seats, which a license server lends",
            given="a pool",
            expected="a license",
            fix="on the machine of the license server: `tunesmith license-server run FOLDER --pool FILE`",
        )
    if strange == ["activation-response"]:
        raise refusal(
            "wrong-kind",
            "this is the vendor's answer to a request of an installation",
            given="an activation response, with its license",
            expected="a license for any installation",
            fix="`tunesmith license activate FILE`",
        )
    if strange:
        raise refusal(
            "wrong-kind",
            "this is another kind of document than those that are installed",
            given=" and ".join(f"a document of the kind {kind}" for kind in strange[:3]),
            expected="licenses, with the roots and revocations that belong to them",
            fix="look what it is: `tunesmith license inspect FILE`",
        )


def check_root(evidence: Evidence) -> None:
    from tunesmith_enterprise.errors import LicenseError

    if evidence.trust is None:
        raise LicenseError(
            "no license can be checked: this build holds no root of trust, and nothing unlocks it",
            code="no-root",
            feature="",
            given="a build from a checkout or of unknown origin",
            expected="the package as the vendor ships it",
            fix="install tunesmith-enterprise from the vendor's package index",
        )


def write_down(event: str, **facts: Any) -> None:
    """Into the journal; that it cannot be written is a note and no more."""
    from tunesmith_enterprise.commands.context import journal

    trouble = journal(event, **facts)
    if trouble:
        note(f"note: {trouble}")


def _print_installed(view: dict[str, Any]) -> None:
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc)
    if view["installed"]:
        result(f"installed: {view['path']}")
    for one in view["licenses"]:
        result(f"  {one['id']}, serial {one['serial']}, for {one['licensee']}: {state_text(one, now)}")
    for line in view["notes"]:
        note(f"note: {line}")
    if view["installed"]:
        note("next: `tunesmith license status`")
