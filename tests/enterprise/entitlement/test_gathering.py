# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""All of it together: facts, settings, speed, and that gathering never fails."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import pytest
from desk import DAY, NOW, a_license

from tunesmith.licensing import armor
from tunesmith.licensing.contents import Binding
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.gathering import gather


def test_nothing_found_is_nothing_found(bench):
    evidence = bench.gather()
    assert (evidence.held, evidence.seats, evidence.refused, evidence.revocations, evidence.notes) == (
        (),
        (),
        (),
        None,
        (),
    )
    assert evidence.trust == bench.build.trust
    assert (evidence.facts.now, evidence.facts.built_at) == (NOW, NOW - 30 * DAY)


def test_what_is_gathered_decides(bench):
    bench.put("user", bench.desk.license(features={"distributed": {"nodes": 2}}))
    assert decide("distributed", {"nodes": 2}, bench.gather()).state == "valid"


def test_the_clock_and_the_usual_places_are_asked_by_default(tmp_path, monkeypatch):
    from datetime import datetime, timezone

    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    before = datetime.now(timezone.utc).replace(microsecond=0)
    evidence = gather()
    assert before <= evidence.facts.now <= datetime.now(timezone.utc)
    assert evidence.facts.now.microsecond == 0


def test_row_21_a_time_without_a_zone_is_a_mistake_of_the_caller(bench):
    with pytest.raises((TypeError, ValueError)):
        bench.gather(now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("value", "ci"),
    [
        (None, False),
        ("", False),
        ("false", False),
        ("0", False),
        ("True", True),
        ("true", True),
        ("1", True),
        ("yes", True),
    ],
)
def test_continuous_integration_is_what_the_variable_says(bench, value, ci):
    if value is not None:
        bench.environ["CI"] = value
    assert bench.gather().facts.ci is ci


def test_the_cluster_is_what_the_variable_says_else_the_settings(bench):
    assert bench.gather().facts.cluster_id is None
    bench.settings('[plugins.enterprise]\ncluster_id = "from-settings"\n')
    assert bench.gather().facts.cluster_id == "from-settings"
    bench.environ["TUNESMITH_CLUSTER_ID"] = "9f1c-of-kube-system"
    assert bench.gather().facts.cluster_id == "9f1c-of-kube-system"


def test_the_domain_is_what_the_settings_say_else_the_machines_own_name_and_nobody_is_asked(bench, monkeypatch):
    import socket

    def asked(*_):
        raise AssertionError("a name was looked up")

    for name in ("getfqdn", "gethostbyname", "getaddrinfo", "gethostbyaddr"):
        monkeypatch.setattr(socket, name, asked)
    assert bench.gather().facts.domain == socket.gethostname().lower()
    bench.settings('[plugins.enterprise]\ndomain = "GPU1.Example.com."\n')
    assert bench.gather().facts.domain == "gpu1.example.com"


def test_facts_and_bindings_meet(bench):
    bench.put("user", bench.desk.license(binding=Binding("cluster-id", ("c-1",))))
    bench.environ["TUNESMITH_CLUSTER_ID"] = "c-1"
    assert decide("governance", {}, bench.gather()).state == "valid"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("license_files = [", "cannot be read"),
        ("nobody_reads = 1", "have a key that nobody reads"),
        (
            "[plugins.enterprise]\nlicense_files = 'a.lic'",
            "license_files of [plugins.enterprise] in the settings is not used",
        ),
        ("[plugins.enterprise]\nlicense_files = [1]", "license_files of [plugins.enterprise]"),
        ("[plugins.enterprise]\ncluster_id = 7", "cluster_id of [plugins.enterprise]"),
        ('[plugins.enterprise]\ncluster_id = " "', "cluster_id of [plugins.enterprise]"),
        ('[plugins.enterprise]\ndomain = "a\\u001bb"', "domain of [plugins.enterprise]"),
    ],
)
def test_settings_that_are_wrong_are_a_note(bench, text, words):
    bench.settings(text)
    bench.put("user", bench.desk.license())
    evidence = bench.gather()
    assert (len(evidence.held), evidence.refused) == (1, ())
    (note,) = evidence.notes
    assert words in note


def test_the_machines_settings_win_over_the_persons(bench, tmp_path):
    for name, file in (("machine", "etc/tunesmith.toml"), ("person", "config/tunesmith/tunesmith.toml")):
        bench.put(name, bench.desk.license(license_id=name))
        bench.write(file, f'[plugins.enterprise]\nlicense_files = ["{(tmp_path / name).as_posix()}"]\n')
    assert [held.license.license_id for held in bench.gather().held] == ["machine"]


def test_refusals_come_in_the_order_of_the_places(bench):
    bench.write("secrets/tunesmith-license", "")
    bench.put("user", bench.desk.license(product="another"))
    bench.environ["TUNESMITH_LICENSE_FILE"] = "/nowhere/a.lic"
    evidence = bench.gather(b"junk")
    assert [one.source.place for one in evidence.refused] == ["argument", "environment", "user", "secrets"]


@pytest.mark.parametrize(
    "junk", [b"", b"\0", b"\xff" * 40, b"-----BEGIN TUNESMITH LICENSE-----", b"A" * 100_000, "\ud800"]
)
def test_junk_of_the_program_is_refused_and_nothing_is_raised(bench, junk):
    bench.put("user", bench.desk.license())
    evidence = bench.gather(junk)
    assert (len(evidence.held), len(evidence.refused)) == (1, 1)


def test_row_28_evidence_goes_to_another_process_as_it_is(bench):
    import pickle

    bench.put("user", bench.desk.license())
    facts = bench.gather().facts
    assert pickle.loads(pickle.dumps(facts)) == facts


def test_it_imports_nothing_heavy():
    code = """
import sys
import tunesmith_enterprise.entitlement.gathering
heavy = {"typer", "httpx", "torch", "pydantic", "cryptography", "numpy", "asyncio", "yaml", "rich", "sqlalchemy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_warm_look_takes_a_millisecond(bench, capsys):
    """The bound is generous, as machines that test are busy; the figure is printed."""
    bench.put("user", bench.desk.license())
    assert bench.gather().held[0].license == a_license()
    taken = []
    for _ in range(100):
        begin = time.perf_counter()
        bench.gather()
        taken.append(time.perf_counter() - begin)
    with capsys.disabled():
        print(f"\n  gather, warm: {statistics.median(taken) * 1e3:.2f} ms")
    assert statistics.median(taken) < 0.005


def test_a_warm_look_makes_few_calls_of_the_system(bench, monkeypatch):
    """What speed comes from, without a clock: what is opened, and that nothing is written."""
    bench.put("user", bench.desk.license())
    bench.gather()
    opened, written = [], []
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **named: opened.append(path) or real_open(path, *rest, **named))
    monkeypatch.setattr(os, "replace", lambda *given: written.append(given))
    bench.gather()
    assert len(opened) <= 6
    assert written == []


def test_a_hundred_licenses_in_one_text_are_read(bench):
    text = "".join(armor(bench.desk.license(license_id=f"lic-{number}")) for number in range(100))
    assert len(bench.gather(text).held) == 100
