# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The published vectors of what documents say: our reader answers as they do, and others save for a table."""

import hashlib
import json
import subprocess
import sys
from collections import Counter

import pytest
from content_differences import DIFFERENCES, NO_ENVELOPE
from content_reading import (
    FILES,
    HERE,
    SAYS,
    STATES,
    UNDER,
    VECTORS,
    answer,
    answer_under,
    data,
    payload_of,
    state_of,
)

from tunesmith.licensing import REASONS
from tunesmith_enterprise.entitlement.features import STATES as ALL_STATES


@pytest.mark.parametrize("name", SAYS)
def test_our_reader_answers_as_the_vector_says(name):
    expected = SAYS[name]["expected"]
    assert answer(SAYS[name]) == (expected["reason"] if "reason" in expected else expected["says"]), SAYS[name]["shows"]


@pytest.mark.parametrize("name", UNDER)
def test_a_license_under_another_is_taken_or_refused_as_the_vector_says(name):
    expected = UNDER[name]["expected"]
    assert answer_under(UNDER[name]) == (expected["reason"] if "reason" in expected else expected["says"])


@pytest.mark.parametrize("name", STATES)
def test_a_license_is_in_the_state_that_the_vector_says(name):
    assert state_of(STATES[name]) == STATES[name]["expected"]["state"], STATES[name]["shows"]


def test_every_state_has_a_vector_but_the_one_of_nothing():
    assert {found["expected"]["state"] for found in STATES.values()} == set(ALL_STATES) - {"none"}


def test_no_id_comes_twice_and_every_field_is_known():
    listed = [found for file in FILES for found in json.loads(file.read_text())["vectors"]]
    assert not [name for name, times in Counter(found["id"] for found in listed).items() if times > 1]
    more = {"says": set(), "under": {"granting"}, "state": {"facts"}}
    for found in listed:
        fields = set(found) - {"id", "shows", "ask", "kind", "key", "document", "expected"}
        assert fields - {"revocations", "revoker"} == more[found["ask"]], found["id"]
        assert len(found["expected"]) == 1
        assert found["expected"].get("reason", "type") in REASONS


def test_each_kind_is_taken_and_refused_for_many_reasons():
    taken = Counter(found["kind"] for found in SAYS.values() if "says" in found["expected"])
    refused = {(found["kind"], found["expected"]["reason"]) for found in SAYS.values() if "reason" in found["expected"]}
    kinds = {found["kind"] for found in SAYS.values()}
    assert kinds == {
        "license", "pool", "lease", "revocations", "activation-request", "activation-response", "usage-report",
    }  # fmt: skip
    assert min(taken.values()) >= 4
    for kind in kinds:
        assert {(kind, reason) for reason in ("missing-field", "type", "value", "timestamp", "newer-format")} <= refused
        assert (kind, "unknown-field") in refused
    assert len(VECTORS) >= 120


def test_the_page_says_how_many_there_are(root):
    page = (root / "docs/reference/licenses.md").read_text(encoding="utf-8")
    assert f"{len(VECTORS)} vectors" in page.split("## Vectors")[1]


def test_the_generator_writes_the_same_bytes_again(tmp_path):
    """In a process of its own, whose hashes have another seed, and without ``tunesmith``."""
    program = (
        "import sys, make_content_vectors as made, pathlib\n"
        "made.write(pathlib.Path(sys.argv[1]))\n"
        "assert not [name for name in sys.modules if name.split('.')[0].startswith('tunesmith')]"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=HERE, check=True, timeout=120)
    assert [file.name for file in sorted(tmp_path.iterdir())] == [file.name for file in FILES]
    for file in FILES:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), "run make_content_vectors.py"


def test_a_second_verifier_takes_every_envelope_but_those_that_are_listed():
    """securesystemslib, with the key that has to sign; the signature is what it and we agree about."""
    dsse = pytest.importorskip("securesystemslib.dsse", reason="needs the extra test")
    signer = pytest.importorskip("securesystemslib.signer", reason="needs the extra test")
    refused = set()
    for name, vector in SAYS.items():
        raw = bytes.fromhex(vector["key"])
        key = signer.SSlibKey(hashlib.sha256(raw).hexdigest(), "ed25519", "ed25519", {"public": raw.hex()})
        document = data(vector["document"])
        try:
            envelope = dsse.Envelope.from_dict(json.loads(document))
            envelope.verify([key], 1)
            kind = envelope.payload_type == f"application/vnd.tunesmith.{vector['kind']}.v1+json"
        except Exception:  # whatever it raises: it does not take it
            kind = False
        if not kind:
            refused.add(name)
    assert sorted(refused) == sorted(NO_ENVELOPE)


def test_the_schema_differs_only_where_the_table_says_why(root):
    """docs/reference/licenses.schema.json, read by a validator that is none of ours. Both ways."""
    validators = pytest.importorskip("jsonschema_rs", reason="needs the extra test")
    schema = json.loads((root / "docs/reference/licenses.schema.json").read_text(encoding="utf-8"))
    found = {}
    read = {}
    for name, vector in SAYS.items():
        if name in NO_ENVELOPE:
            continue
        kind = vector["kind"]
        if kind not in read:
            read[kind] = validators.Draft202012Validator(schema | {"$ref": f"#/$defs/{kind}"})
        value = json.loads(payload_of(data(vector["document"])))
        if read[kind].is_valid(value) != ("says" in vector["expected"]):
            found[name] = "taken" if "reason" in vector["expected"] else "refused"
    listed = {name for names in DIFFERENCES.values() for name in names}
    assert sorted(set(found) - listed) == []
    assert sorted(listed - set(found)) == []
    assert set(found.values()) <= {"taken"}  # the schema cannot say everything, but says nothing that is not so
    assert sum(map(len, DIFFERENCES.values())) == len(listed)
