# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""For companies that ship this package inside a product of theirs: a license as bytes, answers as data.

Nothing is printed, nothing is read but what is handed over, nothing is kept on the disk or in this module. A product
brings its own license, or one that its maker issued to a customer together with the one that lets it issue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tunesmith_enterprise.entitlement.build import Build, this_build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.features import FEATURES, Effect, State
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.entitlement.merging import count, entitlement, overall
from tunesmith_enterprise.entitlement.places import NOWHERE
from tunesmith_enterprise.entitlement.states import warning

__all__ = ["Activation", "Message", "Standing", "activate"]


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a product may tell its users, in its own words or in these.

    Attributes:
        code: ``refused``, ``ends`` or ``note``; for programs.
        text: one sentence in English, without a full stop.
        values: what stands in it: ``reason``, ``license``, ``date``.
    """

    code: str
    text: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with a license now.

    Attributes:
        state: the best state of what was handed over.
        until: when that changes by itself; None: it does not.
        features: for each feature its state and effect.
        messages: in the order of their weight.
    """

    state: State
    until: datetime | None
    features: Mapping[str, tuple[State, Effect]]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Activation:
    """A license within a product. Immutable; two of them know nothing of each other.

    Attributes:
        license: the text of the license file that was handed over; not shown.
        product: the name of the product, as licenses are bound to it.
        build: what this package was built with.
    """

    license: bytes
    product: str
    build: Build

    def __repr__(self) -> str:
        return f"Activation(product={self.product!r})"  # the text of a license is for its owner only

    def require(self, feature: str, **quantities: int) -> Grant:
        """As :func:`tunesmith_enterprise.require`, by this license alone.

        Raises:
            LicenseError: it may not.
            ValueError: a quantity is no positive integer.
        """
        return decide(feature, quantities, self._evidence())

    def standing(self) -> Standing:
        """How things are; asks the clock and nothing else."""
        evidence = self._evidence()
        counted = count(evidence)
        having = {code: entitlement(code, counted, evidence) for code in FEATURES}
        first = next((one for one in counted if not one.replaced_by), None)
        return Standing(
            state=overall(counted, evidence),
            until=None if first is None else first.judgement.until,
            features={code: (one.state, one.effect) for code, one in having.items()},
            messages=tuple(_messages(evidence)),
        )

    def _evidence(self) -> Evidence:
        return gather(self.license, environ={}, places=NOWHERE, build=self.build, product=self.product)


def activate(license: bytes, *, product: str) -> Activation:  # noqa: A002 - its name everywhere
    """Take a license for a product.

    Args:
        license: what is in the license file. Several documents may be in it: the license that lets the maker of the
            product issue others, one of those, newer roots, revocations.
        product: the name that the license is bound to.

    Raises:
        TypeError: the license is no bytes.
        SignedDocumentError: nothing in it is a license that could ever count: damaged, not signed by whom it should be,
            for another product. What is well and has ended is no error: see :meth:`Activation.standing`.

    Example::

        activation = tunesmith_enterprise.activate(license_bytes, product="helpdesk")
        grant = activation.require("governance")
    """
    if not isinstance(license, bytes):
        raise TypeError(f"the license has to be bytes, not {type(license).__name__}")
    activation = Activation(license, product, this_build())
    evidence = activation._evidence()
    if evidence.refused and not evidence.held:
        raise evidence.refused[0].error
    return activation


def _messages(evidence: Evidence) -> Iterator[Message]:
    for refused in evidence.refused:
        yield Message("refused", refused.error.what, {"reason": refused.error.reason})
    for one in count(evidence):
        said = warning(one.document, one.judgement, evidence.facts.now)
        if said:
            ends = f"{one.document.expires_at:%Y-%m-%d}" if one.document.expires_at else ""
            yield Message("ends", said, {"license": one.name, "date": ends})
        if one.judgement.why:
            yield Message(
                "refused", f"{one.name}: {one.judgement.why}", {"license": one.name, "reason": one.judgement.code or ""}
            )
    for note in evidence.notes:
        yield Message("note", note, {})
