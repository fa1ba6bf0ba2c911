# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What is wrong with licenses here: each finding with where it is, its cause, and what to type next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Final

from tunesmith.errors import TunesmithError
from tunesmith.licensing import SignedDocumentError, dearmor_all
from tunesmith.licensing.files import read_text_file
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.commands.keeping import SUFFIX
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.entitlement.merging import Counted, count, entitlement
from tunesmith_enterprise.entitlement.opening import digest
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.entitlement.states import warning

__all__ = ["Finding", "diagnose", "diagnose_text", "refused_finding"]

_LOOKED: Final = 50
"""License files of the working folder that are looked at, at most."""
_PROBE: Final = "probe"
_CLOCK: Final = "the system's clock says"
_KEY: Final = "install.key"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found.

    Attributes:
        code: for programs: the reason of a refused document, or one of the codes of the reference.
        problem: something has to be done; False: good to know.
        where: a file, a variable, a folder, a license.
        cause: what is wrong, in a sentence or a few.
        to_do: next steps; commands in backticks.
    """

    code: str
    problem: bool
    where: str
    cause: str
    to_do: tuple[str, ...]


def diagnose(evidence: Evidence, state: StateFolder, journal: Path | None, working: Path) -> list[Finding]:
    """Everything about the licenses of this installation.

    Args:
        state: its state folder, which is tried by writing to it.
        journal: of this installation; need not exist.
        working: the working folder: licenses in it are told of, as they are not read.
    """
    found = [*_build(evidence), *(refused_finding(one.error, one.source.name) for one in evidence.refused)]
    found += _licenses(evidence, count(evidence))
    found += _clock(evidence)
    kept = list(_kept(state, journal))
    told = {one.cause for one in kept}
    found += kept
    found += [
        Finding("note", True, "this machine", text, ())
        for text in evidence.notes
        if text not in told and not text.startswith(_CLOCK)
    ]
    found += _working_folder(evidence, working)
    return sorted(found, key=lambda one: not one.problem)


def diagnose_text(text: bytes, file: str, evidence: Evidence) -> list[Finding]:
    """Everything about one file, before it is installed.

    Args:
        text: what is in it.
        evidence: with this text as the argument.
    """
    from tunesmith_enterprise.commands.changing import check_documents

    try:
        check_documents(dearmor_all(text))
    except SignedDocumentError as error:
        return [refused_finding(error, file)]
    found = list(_build(evidence))
    found += [refused_finding(one.error, file) for one in evidence.refused if one.source.place == "argument"]
    counted = count(evidence)
    found += _licenses(evidence, tuple(one for one in counted if one.source.place == "argument"))
    return sorted(found, key=lambda one: not one.problem)


def _build(evidence: Evidence) -> Iterator[Finding]:
    if evidence.trust is None:
        yield Finding(
            "no-root",
            True,
            f"tunesmith-enterprise {evidence.build.version}".rstrip(),
            "this build holds no root of trust, so no license can be checked and nothing is unlocked",
            ("install tunesmith-enterprise from the vendor's package index, not from a checkout",),
        )


def refused_finding(error: SignedDocumentError, where: str) -> Finding:
    """What a refusal means, and what to do about it."""
    cause = error.what
    if error.given is not None:
        cause += f"; given: {error.given}"
    if error.expected is not None:
        cause += f"; expected: {error.expected}"
    to_do = list(error.fix)
    if error.reason in ("untrusted", "other-key", "root-gap"):
        to_do += [
            "a newer build knows newer keys: update tunesmith-enterprise",
            "or ask the vendor for the file anew, with its roots",
        ]
    elif not to_do:
        to_do = ["look what it is: `tunesmith license inspect FILE`"]
    return Finding(error.reason, True, where, cause, tuple(dict.fromkeys(to_do)))


def _licenses(evidence: Evidence, counted: tuple[Counted, ...]) -> Iterator[Finding]:
    everything = count(evidence)
    for one in counted:
        if one.replaced_by:
            continue
        lacking = [
            code
            for code in one.features
            if code in FEATURES and entitlement(code, everything, evidence).effect != "full"
        ]
        where = f"{one.source.name}: {one.name}, serial {one.document.serial}"
        if one.judgement.code is not None:
            words = [FEATURES[code].meanings[one.judgement.state].words for code in lacking]
            yield Finding(
                one.judgement.code,
                bool(lacking),
                where,
                "; ".join([one.judgement.why, *dict.fromkeys(words)])
                if lacking
                else f"{one.judgement.why}; others cover it",
                _steps(one) if lacking else (),
            )
        elif one.judgement.state in ("grace", "expiring", "trial"):
            words_ = warning(one.document, one.judgement, evidence.facts.now)
            if words_:
                yield Finding(one.judgement.state, one.judgement.state == "grace", where, words_, _steps(one))
    if not everything and not evidence.refused and evidence.trust is not None:
        yield Finding(
            "no-license",
            True,
            "all places that are searched",
            "no license was found anywhere",
            (
                "`tunesmith license install FILE`",
                "see where licenses are looked for: `tunesmith license status --explain`",
            ),
        )


def _steps(one: Counted) -> tuple[str, ...]:
    """What to do about a license that gives nothing, or soon will not."""
    id_ = one.document.id
    code = one.judgement.code
    if code == "binding":
        return (
            f"`tunesmith license request {id_} --out request.txt`, and send that to the vendor",
            "`tunesmith license activate FILE` with the answer",
        )
    if code == "environment":
        return (
            "use it where CI=true is set",
            "or install a license for this environment: `tunesmith license install FILE`",
        )
    if code == "upcoming":
        return ("wait, or look whether the clock is right: `date -u`",)
    if code == "newer-build":
        return ("install a build from before the end of maintenance", "or ask the vendor for more maintenance")
    return (
        "ask the vendor for a renewal",
        "`tunesmith license install FILE` with what comes",
        "what will change, and when: `tunesmith license simulate-expiry`",
    )


def _clock(evidence: Evidence) -> Iterator[Finding]:
    system = datetime.now(timezone.utc)
    text = next((note for note in evidence.notes if note.startswith(_CLOCK)), None)
    if text is not None:
        yield Finding(
            "clock",
            True,
            "the system's clock",
            text.partition(". Set the clock")[0],
            (
                f"compare `date -u` with the true time, and set the clock (it says {system:%Y-%m-%d %H:%M} UTC)",
                "if the clock is right and was wrong earlier: `tunesmith license doctor --forget-clock`",
            ),
        )


def _kept(state: StateFolder, journal: Path | None) -> Iterator[Finding]:
    try:
        state.write(_PROBE, b"")
        state.remove(_PROBE)
    except OSError as error:
        yield Finding(
            "state",
            True,
            str(state.path or "the state folder"),
            state.trouble(error),
            ("make the folder writable, or set XDG_STATE_HOME to one that is and stays",),
        )
    key = None if state.path is None else state.path / _KEY
    if key is not None and os.name != "nt" and key.is_file() and key.stat().st_mode & 0o077:
        yield Finding(
            "key-open",
            True,
            str(key),
            "others on this machine can read the key of this installation, and sign requests and reports in its name",
            (f"`chmod 600 {key}`",),
        )
    if journal is not None and journal.is_file():
        try:
            broken = ChainedLog(journal).verify()
        except OSError as error:
            yield Finding(
                "journal", True, str(journal), f"it cannot be read: {error.strerror}", ("look at its permissions",)
            )
            return
        if broken is not None:
            yield Finding(
                "journal",
                True,
                str(journal),
                f"the journal was changed: {broken}",
                ("keep a copy as it is, and find out who could write it: `tunesmith license audit verify`",),
            )


def _working_folder(evidence: Evidence, working: Path) -> Iterator[Finding]:
    """Licenses that lie where nobody looks, and look as if they counted."""
    known = {one.sha256 for one in evidence.held}
    try:
        paths = sorted(islice(working.glob(f"*{SUFFIX}"), _LOOKED))
    except OSError:
        return
    for path in paths:
        try:
            documents = dearmor_all(read_text_file(path))
        except TunesmithError:
            continue
        if any(one.kind == "license" and digest(one.envelope) not in known for one in documents):
            yield Finding(
                "working-folder",
                False,
                str(path),
                "a license in the working folder is not read: what lies there comes from whoever sent the project",
                (f"`tunesmith license install {path.name}`",),
            )
