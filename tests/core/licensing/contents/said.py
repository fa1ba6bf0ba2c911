# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every document that can be written, as strategies of hypothesis; and one of each kind to change."""

from __future__ import annotations

import string
import unicodedata
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st
from signed import KEYS

from tunesmith.licensing.contents import (
    BINDINGS,
    ENVIRONMENTS,
    ActivationRequest,
    ActivationResponse,
    Binding,
    Lease,
    License,
    Licensee,
    Metered,
    Pool,
    Revocation,
    Revocations,
    SubIssuer,
    UsageReport,
    Used,
    parse_activation_request,
    parse_activation_response,
    parse_lease,
    parse_license,
    parse_pool,
    parse_revocations,
    parse_usage_report,
)
from tunesmith.licensing.contents.parts import LIMIT

PARSE = {
    License: parse_license,
    Pool: parse_pool,
    Lease: parse_lease,
    Revocations: parse_revocations,
    ActivationRequest: parse_activation_request,
    ActivationResponse: parse_activation_response,
    UsageReport: parse_usage_report,
}
LARGEST = 2**53 - 1
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

_FIRST = string.ascii_lowercase + string.digits
names = st.builds(str.__add__, st.sampled_from(_FIRST), st.text(_FIRST + "._-", max_size=63))
texts = (
    st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), min_size=1, max_size=60)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: 1 <= len(text) <= 200)
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(9000, 12, 31), timezones=st.just(timezone.utc)).map(
    lambda moment: moment.replace(microsecond=0)
)
limits = st.integers(1, LIMIT)
keys = st.sampled_from(KEYS)
features = st.dictionaries(names, st.dictionaries(names, limits, max_size=4), min_size=1, max_size=5)
licensees = st.builds(Licensee, texts, names)
environments = st.sampled_from(ENVIRONMENTS)
some_names = st.lists(names, unique=True, max_size=4).map(tuple)
ids = {"product": names, "serial": limits, "licensee": licensees, "edition": texts, "features": features}


@st.composite
def bindings(draw):
    kind = draw(st.sampled_from(BINDINGS))
    return Binding() if kind == "none" else Binding(kind, tuple(draw(st.lists(texts, min_size=1, max_size=4))))


@st.composite
def terms(draw, forever=True):
    """From when until when, the second None for no end."""
    starts = draw(moments)
    ends = moments.filter(lambda moment: moment > starts)
    if starts.year == 9000:
        starts = START
    return starts, draw(st.none() | ends if forever else ends)


plain = st.recursive(
    st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


KNOWN = {
    "schema", "product", "license_id", "serial", "licensee", "edition", "environment", "features", "issued_at", "order",
    "starts_at", "grace_days", "binding", "expires_at", "maintenance_until", "replaces", "oem", "under", "critical",
}  # fmt: skip


@st.composite
def licenses(draw):
    environment = draw(environments)
    starts, expires = draw(terms(forever=environment != "trial"))
    binding = draw(bindings())
    under = draw(st.none() | names) if binding.kind != "none" else None
    right = st.builds(
        SubIssuer, names, st.lists(keys, min_size=1, max_size=3).map(tuple), some_names.filter(lambda found: found)
    )
    return draw(
        st.builds(
            License,
            **ids,
            license_id=names,
            environment=st.just(environment),
            issued_at=moments,
            starts_at=st.just(starts),
            expires_at=st.just(expires),
            grace_days=st.integers(0, 366),
            maintenance_until=st.none() | moments,
            binding=st.just(binding),
            order=st.none() | texts,
            replaces=some_names,
            oem=st.none() | right if under is None else st.none(),
            under=st.just(under),
            critical=st.lists(st.sampled_from(sorted(KNOWN)), unique=True, max_size=3).map(tuple),
            extra=st.dictionaries(names.filter(lambda name: name not in KNOWN), plain, max_size=3),
        )
    )


@st.composite
def pools(draw):
    starts, expires = draw(terms())
    return draw(
        st.builds(
            Pool,
            **ids,
            pool_id=names,
            environment=environments,
            server_key=keys,
            seats=st.integers(1, 1_000_000),
            lease_seconds=st.integers(1, 604_800),
            offline_hours=st.integers(0, 8_784),
            borrow_days=st.integers(0, 366),
            issued_at=moments,
            starts_at=st.just(starts),
            expires_at=st.just(expires),
            grace_days=st.integers(0, 366),
            maintenance_until=st.none() | moments,
        )
    )


@st.composite
def leases(draw):
    granted, expires = draw(terms(forever=False))
    return draw(
        st.builds(
            Lease,
            pool_id=names,
            lease_id=names,
            serial=st.integers(1, LARGEST),
            node=names,
            nonce=names,
            features=features,
            granted_at=st.just(granted),
            expires_at=st.just(expires),
            open_until=moments,
            borrowed=st.booleans(),
        )
    )


revocations = st.builds(
    Revocations,
    names,
    limits,
    moments,
    st.lists(
        st.builds(Revocation, st.sampled_from(("license", "pool")), names, st.none() | limits, moments, texts),
        max_size=4,
    ).map(tuple),
)
requests = st.builds(
    ActivationRequest,
    asks=st.sampled_from(("activate", "deactivate")),
    product=names,
    license_id=names,
    install_id=names,
    key=keys,
    nonce=names,
    made_at=moments,
    label=st.none() | texts,
)
responses = st.builds(
    ActivationResponse,
    product=names,
    install_id=names,
    nonce=names,
    license_id=names,
    serial=limits,
    license_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    made_at=moments,
)


@st.composite
def reports(draw):
    since, until = draw(terms(forever=False))
    used = st.builds(
        Used,
        feature=names,
        license_id=names,
        jobs=st.integers(0, LARGEST),
        most=st.dictionaries(names, st.integers(0, LIMIT), max_size=4),
    )
    counts = ["requests", "refused", "prompt_tokens", "cached_tokens", "completion_tokens", "runs", "steps", "seconds"]
    metered = st.builds(Metered, tenant=texts | st.just(""), **{name: st.integers(0, LARGEST) for name in counts})
    return draw(
        st.builds(
            UsageReport,
            product=names,
            install_id=names,
            key=keys,
            since=st.just(since),
            until=st.just(until),
            made_at=moments,
            used=st.lists(used, max_size=3).map(tuple),
            journal_entries=st.integers(0, LARGEST),
            journal_head=texts.filter(lambda text: len(text) <= 64),
            metered=st.lists(metered, max_size=3).map(tuple),
        )
    )


documents = st.one_of(licenses(), pools(), leases(), revocations, requests, responses, reports())


def a_license(**changes):
    """One of everything for two years, unless changed."""
    fields = {
        "product": "example",
        "license_id": "lic-1",
        "serial": 1,
        "licensee": Licensee("Example Ltd", "example"),
        "edition": "Team",
        "environment": "production",
        "features": {"distributed": {"gpus": 8}},
        "issued_at": START,
        "starts_at": START,
        "expires_at": START + timedelta(days=730),
    }
    return License(**(fields | changes))
