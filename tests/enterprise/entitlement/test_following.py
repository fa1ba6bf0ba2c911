# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""From the root of a build to the newest one: chains beside licenses, and what is kept of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from desk import NOW, Desk, new_key

from tunesmith.licensing import PublicKey, Trust, armor, dearmor_all, format_timestamp, read_envelope, sign
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.clock import forget_mark


class Line:
    """Roots that follow each other; each names another issuer and replaces one root key."""

    def __init__(self, length):
        self.roots, self.desks = [], []
        desk = Desk()
        for version in range(1, length + 1):
            signers = desk.roots[:2]
            if version > 1:
                desk = replace(desk, roots=[*desk.roots[1:], new_key()], issuer=new_key())
                signers = [*signers, *desk.roots[:2]]
            unique = {PublicKey.of(key).raw: key for key in signers}
            self.roots.append(desk.root(version, signers=list(unique.values())))
            self.desks.append(desk)

    def build(self, version=1):
        return Build(Trust.start(self.roots[version - 1]), NOW - timedelta(days=30), "0.1.0")

    def license(self, version, **changes):
        return self.desks[version - 1].license(**changes)


@pytest.fixture(scope="module")
def line():
    return Line(6)


def versions(bench):
    return [
        Trust.start(one.envelope).root.version for one in dearmor_all((bench.places.state / "roots.txt").read_text())
    ]


def test_a_license_brings_the_roots_that_it_needs(bench, line):
    bench.put("user", *line.roots[:3], line.license(3))
    evidence = bench.gather(build=line.build())
    assert (evidence.trust.root.version, len(evidence.held), evidence.notes) == (3, 1, ())
    assert versions(bench) == [2, 3]


def test_what_was_followed_once_stays_known_without_the_file(bench, line):
    path = bench.put("user", *line.roots[:3], line.license(3))
    bench.gather(build=line.build())
    path.write_text(armor(line.license(3)))
    evidence = bench.gather(build=line.build())
    assert (evidence.trust.root.version, len(evidence.held)) == (3, 1)
    path.write_text("".join(map(armor, [line.roots[3], line.license(4)])))
    assert bench.gather(build=line.build()).trust.root.version == 4
    assert versions(bench) == [2, 3, 4]


def test_chains_of_several_files_join_whatever_their_order(bench, line):
    for name, roots in (("1.lic", line.roots[4:6]), ("2.lic", line.roots[2:4]), ("3.lic", line.roots[1:2])):
        bench.put("user", *roots, name=name)
    evidence = bench.gather(build=line.build())
    assert (evidence.trust.root.version, evidence.notes, evidence.refused) == (6, (), ())
    assert versions(bench) == [2, 3, 4, 5, 6]


def test_a_newer_build_passes_over_what_was_kept(bench, line):
    bench.put("user", *line.roots[:3])
    bench.gather(build=line.build())
    assert bench.gather(build=line.build(5)).trust.root.version == 5
    bench.put("user", line.roots[5])
    assert bench.gather(build=line.build(5)).trust.root.version == 6
    # And back again: what the older build can follow is too little, and it says so.
    evidence = bench.gather(build=line.build(1))
    assert evidence.trust.root.version == 1
    assert any("that were kept cannot be followed" in note for note in evidence.notes)


def test_a_root_too_old_is_the_reason_told(bench, line):
    path = bench.put("user", *line.roots[3:5], line.license(5))
    evidence = bench.gather(build=line.build())
    assert evidence.held == ()
    (refused,) = evidence.refused
    assert refused.error.reason == "root-gap"
    said = str(refused.error)
    assert "signed with keys of a newer root, and the roots that came with it cannot be followed" in said
    assert "version 4 after 1" in said
    assert "ask the vendor for the whole chain of roots" in said
    assert "or install a newer build" in said
    (note,) = evidence.notes
    assert note.startswith(f"the roots in {path} cannot be followed, and root 1 stays in use")


def test_a_license_counts_although_the_roots_beside_it_do_not(bench, line):
    bench.put("user", line.license(1), line.roots[4])
    evidence = bench.gather(build=line.build())
    assert (len(evidence.held), evidence.refused, len(evidence.notes)) == (1, (), 1)


def test_row_10_roots_of_strangers_are_not_followed(bench, line):
    stranger = Desk()
    bench.put("user", stranger.root(2), stranger.license())
    evidence = bench.gather(build=line.build())
    assert (evidence.trust.root.version, evidence.held) == (1, ())
    assert evidence.refused[0].error.reason == "untrusted"
    assert "too few of the present root keys signed this root" in str(evidence.refused[0].error)
    assert not (bench.places.state / "roots.txt").exists()


def test_a_license_of_a_key_that_a_newer_root_dropped_is_told_from_a_strangers(bench, line):
    bench.put("user", *line.roots[:2], line.license(1))
    bench.put("user", Desk().license(), name="b.lic")
    evidence = bench.gather(build=line.build())
    assert [one.error.reason for one in evidence.refused] == ["other-key", "untrusted"]
    assert "signed with keys that an earlier root named" in str(evidence.refused[0].error)


def test_a_root_that_has_expired_is_not_newly_taken_but_stays_in_use(bench):
    desk = Desk()
    ends = NOW + timedelta(days=10)
    payload = json.loads(read_envelope(desk.root(2)).payload)
    second = sign(json.dumps(payload | {"expires": format_timestamp(ends)}).encode(), "root", desk.roots[:2])
    build = Build(Trust.start(desk.root()), NOW, "0.1.0")
    bench.put("user", desk.root(), second)
    late = bench.gather(build=build, now=ends)
    assert late.trust.root.version == 1
    assert "this root has expired" in late.notes[0]
    forget_mark(bench.state)
    assert bench.gather(build=build).trust.root.version == 2
    assert bench.gather(build=build, now=ends + timedelta(days=1000)).trust.root.version == 2


@pytest.mark.parametrize("content", ["", "junk", "-----BEGIN TUNESMITH ROOT-----", armor(Desk().license())])
def test_damaged_or_foreign_roots_in_the_state_are_a_note_and_mended(bench, line, content):
    bench.write("state/roots.txt", content)
    bench.put("user", line.license(1))
    evidence = bench.gather(build=line.build())
    assert (evidence.trust.root.version, len(evidence.held), evidence.refused) == (1, 1, ())
    assert "the newer roots that were kept" in evidence.notes[0]
    bench.put("user", *line.roots[:3])
    assert bench.gather(build=line.build()).trust.root.version == 3
    assert versions(bench) == [2, 3]
