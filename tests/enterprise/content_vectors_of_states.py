# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Vectors of what follows from documents: the state of a license here and now, and licenses under another one."""

from __future__ import annotations

from content_vector_parts import (
    GONE,
    ISSUER,
    PUBLIC,
    REVOKER,
    STRANGER,
    SUB_ISSUER,
    b64,
    changed,
    dumps,
    envelope,
    says,
    written,
)

# Of the license of the vectors: 2026-01-02 to 2027-01-02, 14 days of grace.
FACTS = {
    "now": "2026-06-01T00:00:00Z",
    "built_at": "2026-05-01T00:00:00Z",
    "install_id": None,
    "cluster_id": None,
    "domain": "",
    "product": None,
    "ci": False,
}


def state(name, shows, expected, changes=None, *, kind="license", revoked=None, **facts):
    """One vector of ``ask`` state: a good document, facts about the machine, perhaps a list of revocations."""
    found = {
        "id": f"state-{name}",
        "shows": shows,
        "ask": "state",
        "kind": kind,
        "key": PUBLIC[ISSUER].hex(),
        "document": written(envelope(dumps(changed(kind, changes or {})), kind, [ISSUER])),
        "facts": FACTS | facts,
        "expected": {"state": expected},
    }
    if revoked is not None:
        listed = dumps(changed("revocations", {"revoked": revoked}))
        found |= {"revocations": written(envelope(listed, "revocations", [REVOKER])), "revoker": PUBLIC[REVOKER].hex()}
    return found


def states():
    yield from of_terms()
    yield from of_maintenance()
    yield from of_places()
    yield from of_revocations()


def of_terms():
    for name, now, expected in (
        ("a-day-before", "2026-01-01T00:00:00Z", "valid"),
        ("a-second-more-than-a-day-before", "2025-12-31T23:59:59Z", "upcoming"),
        ("long-before", "2020-01-01T00:00:00Z", "upcoming"),
        ("at-start", "2026-01-02T00:00:00Z", "valid"),
        ("61-days-left", "2026-11-02T00:00:00Z", "valid"),
        ("a-second-more-than-60-days-left", "2026-11-02T23:59:59Z", "valid"),
        ("60-days-left", "2026-11-03T00:00:00Z", "expiring"),
        ("last-second", "2027-01-01T23:59:59Z", "expiring"),
        ("at-end", "2027-01-02T00:00:00Z", "grace"),
        ("last-second-of-grace", "2027-01-15T23:59:59Z", "grace"),
        ("end-of-grace", "2027-01-16T00:00:00Z", "expired"),
        ("year-9000", "9000-01-01T00:00:00Z", "expired"),
    ):
        yield state(name, f"a term from 2026-01-02 to 2027-01-02, on {now}", expected, now=now)
    no_grace = {"grace_days": 0}
    yield state("no-grace", "no days of grace", "expired", no_grace, now="2027-01-02T00:00:00Z")
    no_end = {"expires_at": GONE}
    yield state("no-end", "a license without an end", "valid", no_end, now="9000-01-01T00:00:00Z")
    beyond = {"expires_at": "2038-06-01T00:00:00Z"}
    yield state("2038", "past what 32 bits count", "valid", beyond, now="2038-01-19T03:14:08Z")
    trial = {"environment": "trial"}
    yield state("trial", "a trial", "trial", trial)
    yield state("trial-last-second", "a trial says trial to its end", "trial", trial, now="2027-01-01T23:59:59Z")
    yield state("trial-over", "days of grace of a trial", "grace", trial, now="2027-01-02T00:00:00Z")
    yield state("trial-ended", "a trial that has ended", "expired", trial, now="2027-02-01T00:00:00Z")
    for name, now, expected in (
        ("valid", "2026-06-01T00:00:00Z", "valid"),
        ("grace", "2027-01-02T00:00:00Z", "grace"),
        ("expired", "2027-02-01T00:00:00Z", "expired"),
    ):
        yield state(f"pool-{name}", "a pool has states as a license", expected, kind="pool", now=now)


def of_maintenance():
    kept = {"maintenance_until": "2026-09-01T00:00:00Z"}
    over = "2028-01-01T00:00:00Z"
    for name, built, expected in (
        ("older-build", "2026-05-01T00:00:00Z", "fallback"),
        ("last-second", "2026-08-31T23:59:59Z", "fallback"),
        ("at-end", "2026-09-01T00:00:00Z", "expired"),
        ("newer-build", "2027-12-01T00:00:00Z", "expired"),
        ("unknown-build", None, "expired"),
    ):
        shows = f"the term is over, maintenance was until 2026-09-01, the build is of {built}"
        yield state(f"maintenance-{name}", shows, expected, kept, now=over, built_at=built)
    shows = "the term runs: maintenance is no matter"
    yield state("maintenance-term-runs", shows, "valid", kept, built_at="2026-10-01T00:00:00Z")
    shows = "in the days of grace it is none either"
    now = "2027-01-02T00:00:00Z"
    yield state("maintenance-grace", shows, "grace", kept, now=now, built_at="2026-12-01T00:00:00Z")
    for_ever = kept | {"expires_at": GONE}
    shows = "no end, and a build from before the end of maintenance"
    yield state("for-ever", shows, "valid", for_ever, now=over)
    shows = "no end, and a build from after the end of maintenance"
    yield state("for-ever-newer-build", shows, "expired", for_ever, now=over, built_at="2027-12-01T00:00:00Z")
    yield state("for-ever-unknown-build", "no end, and a build of no date", "expired", for_ever, built_at=None)


def of_places():
    def bound(kind, *values):
        return {"binding": {"kind": kind, "values": list(values)}}

    for kind, fact in (("install-id", "install_id"), ("cluster-id", "cluster_id"), ("oem", "product")):
        value = bound(kind, "a-1", "b-2")
        yield state(f"bound-{kind}", f"bound to this {kind}", "valid", value, **{fact: "b-2"})
        yield state(f"bound-{kind}-other", f"bound to another {kind}", "invalid", value, **{fact: "c-3"})
        yield state(f"bound-{kind}-part", f"bound to a part of this {kind}", "invalid", value, **{fact: "b-22"})
        yield state(f"bound-{kind}-none", f"bound to a {kind}, and this has none", "invalid", value)
    shows = "the id of the installation is no id of the cluster"
    yield state("bound-crossed", shows, "invalid", bound("cluster-id", "a-1"), install_id="a-1")
    domain = bound("domain", "example.com")
    for name, here, expected in (
        ("itself", "example.com", "valid"),
        ("below", "gpu1.example.com", "valid"),
        ("far-below", "a.b.example.com", "valid"),
        ("other-letters", "GPU1.Example.COM", "valid"),
        ("ends-alike", "notexample.com", "invalid"),
        ("begins-alike", "example.com.evil.test", "invalid"),
        ("above", "com", "invalid"),
        ("none", "", "invalid"),
    ):
        yield state(f"domain-{name}", f"bound to example.com, on {here!r}", expected, domain, domain=here)
    ci = {"environment": "ci"}
    yield state("ci", "for continuous integration, and there", "valid", ci, ci=True)
    yield state("ci-elsewhere", "for continuous integration, and not there", "invalid", ci)
    shows = "for production, in continuous integration"
    yield state("production-in-ci", shows, "valid", ci=True)
    shows = "bound to another place, and its term is over: the place is said first"
    yield state("bound-and-expired", shows, "invalid", bound("install-id", "x"), now="2028-01-01T00:00:00Z")


def of_revocations():
    def entry(name="lic-1", kind="license", **more):
        return {"kind": kind, "id": name, "at": "2026-03-01T00:00:00Z", "reason": "not paid"} | more

    three = {"serial": 3}
    for name, listed, expected in (
        ("all", [entry()], "revoked"),
        ("this-serial", [entry(up_to=3)], "revoked"),
        ("later-serial", [entry(up_to=9)], "revoked"),
        ("earlier-serial", [entry(up_to=2)], "valid"),
        ("other-license", [entry("lic-10")], "valid"),
        ("pool-of-that-name", [entry(kind="pool")], "valid"),
        ("nothing", [], "valid"),
        ("second-entry", [entry(up_to=1), entry(up_to=3)], "revoked"),
    ):
        yield state(f"revoked-{name}", f"a list of revocations: {name}", expected, three, revoked=listed)
    over = {"now": "2028-01-01T00:00:00Z"}
    yield state("revoked-and-over", "revoked, and over", "revoked", revoked=[entry()], **over)
    kept = {"maintenance_until": "2026-09-01T00:00:00Z"}
    shows = "a license that was taken back does not fall back"
    yield state("revoked-no-fallback", shows, "revoked", kept, revoked=[entry()], **over)
    early = "2020-01-01T00:00:00Z"
    yield state("revoked-before-start", "revoked before its term", "revoked", revoked=[entry()], now=early)
    pool = [entry("pool-1", "pool")]
    yield state("revoked-pool", "a pool that was taken back", "revoked", kind="pool", revoked=pool)
    elsewhere = [entry("pool-1", "license")]
    yield state("pool-license-of-that-name", "a license of the pool's name", "valid", kind="pool", revoked=elsewhere)


RIGHT = {"product": "example-suite", "keys": [b64(PUBLIC[SUB_ISSUER])], "features": ["distributed"]}
GRANTING = {
    "license_id": "lic-oem",
    "oem": RIGHT,
    "maintenance_until": "2027-06-01T00:00:00Z",
    "features": {"distributed": {"nodes": 4, "gpus": 16}, "governance": {}},
}
BELOW = {
    "license_id": "customer-1",
    "under": "lic-oem",
    "binding": {"kind": "oem", "values": ["example-suite"]},
    "features": {"distributed": {"nodes": 2, "gpus": 16}},
}


def under(name, shows, outcome, changes=None, *, granting=None, signer=SUB_ISSUER):
    """One vector of ``ask`` under. ``outcome``: None: taken; else the reason."""
    value = changed("license", BELOW | (changes or {}))
    above = changed("license", GRANTING | (granting or {}))
    expected = {"says": says("license", value)} if outcome is None else {"reason": outcome}
    return {
        "id": f"under-{name}",
        "shows": shows,
        "ask": "under",
        "kind": "license",
        "key": PUBLIC[ISSUER].hex(),
        "granting": written(envelope(dumps(above), "license", [ISSUER])),
        "document": written(envelope(dumps(value), "license", [signer])),
        "expected": expected,
    }


def unders():
    yield under("whole", "within all bounds", None)
    yield under("as-much", "as much as may be", None, {"features": {"distributed": {"nodes": 4, "gpus": 16}}})
    yield under("more-limits", "a limit that the other has not", None, {"features/distributed/seats": 5})
    yield under("maintenance", "maintenance as long as may be", None, {"maintenance_until": "2027-06-01T00:00:00Z"})
    for environment in ("non-production", "ci", "trial"):
        shows = f"a license for {environment} under one for production"
        yield under(f"environment-{environment}", shows, None, {"environment": environment})
    yield under("no-end-both", "no end under no end", None, {"expires_at": GONE}, granting={"expires_at": GONE})
    for title, signer in (("stranger", STRANGER), ("vendor", ISSUER)):
        yield under(f"signed-by-{title}", f"signed by the {title}, not by the sub-issuer", "untrusted", signer=signer)
    yield under("no-right", "the other lets nobody issue", "no-granting-license", granting={"oem": GONE})
    yield under("other-id", "it is under another one", "no-granting-license", {"under": "lic-other"})
    own = {"under": GONE, "binding": {"kind": "none"}}
    yield under("own", "it says to be nobody's", "no-granting-license", own)
    right = {"under": GONE, "oem": RIGHT}
    yield under("passes-on", "it lets others issue in turn", "no-granting-license", right)
    for title, change in {
        "product": {"product": "another-product"},
        "binding-values": {"binding": {"kind": "oem", "values": ["another-suite"]}},
        "binding-two": {"binding": {"kind": "oem", "values": ["example-suite", "another-suite"]}},
        "binding-kind": {"binding": {"kind": "domain", "values": ["example-suite"]}},
        "feature-not-passed-on": {"features": {"governance": {}}},
        "feature-unknown": {"features": {"distributed": {"nodes": 1, "gpus": 1}, "priority": {}}},
        "limit-larger": {"features": {"distributed": {"nodes": 5, "gpus": 16}}},
        "limit-left-out": {"features": {"distributed": {"nodes": 4}}},
        "no-limits": {"features": {"distributed": {}}},
        "later-end": {"expires_at": "2027-01-02T00:00:01Z"},
        "no-end": {"expires_at": GONE},
        "more-grace": {"grace_days": 15},
        "more-maintenance": {"maintenance_until": "2027-06-01T00:00:01Z"},
    }.items():
        yield under(f"beyond-{title}", f"more than it may say: {title}", "beyond-grant", change)
    trial = {"environment": "trial"}
    yield under("beyond-environment", "for production, under a trial", "beyond-grant", granting=trial)
    kept, none = {"maintenance_until": "2026-06-01T00:00:00Z"}, {"maintenance_until": GONE}
    yield under("beyond-no-maintenance", "maintenance under none", "beyond-grant", kept, granting=none)
    not_passed = {"oem": RIGHT | {"features": ["governance"]}}
    yield under("beyond-right", "a feature of the license, not of the right", "beyond-grant", granting=not_passed)
    missing = {"features": {"governance": {}}}
    yield under("beyond-license", "a feature of the right, not of the license", "beyond-grant", granting=missing)
