# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The published vectors: our verifier answers as they say, and so does another, save where a table says why."""

import base64
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from differences import DIFFERENCES

from tunesmith.licensing import (
    KINDS,
    REASONS,
    ROLE_OF,
    PublicKey,
    SignedDocumentError,
    Trust,
    dearmor,
    dearmor_all,
    parse_json,
    parse_timestamp,
    verify,
)

HERE = Path(__file__).parent
FILES = sorted((HERE / "vectors").glob("*.json"))
VECTORS = {found["id"]: found for file in FILES for found in json.loads(file.read_text())["vectors"]}
ENVELOPES = [found for found in VECTORS.values() if found["ask"] in ("verify", "role") and found["form"] == "envelope"]
# Reasons that are of files, of fields a vendor shows, of what documents say, or that no vector can have.
ELSEWHERE = {
    "no-file",
    "not-a-file",
    "unreadable",
    "characters",
    "other-product",
    "no-granting-license",
    "beyond-grant",
}


def data(value):
    """The bytes of a document or payload of a vector."""
    if "parts" in value:
        return b"".join(part["text"].encode() * part["times"] for part in value["parts"])
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"], validate=True)


def trust_of(vector):
    """What the roots of a vector lead to: the first is believed, the others are followed."""
    first, *newer = map(data, vector["roots"])
    return Trust.start(first).follow(newer, now=parse_timestamp(vector["now"], "now"))


def answer(vector):
    """The payload, or the reason, as an implementation finds them: this is all that a reader has to do."""
    ask, document = vector["ask"], data(vector["document"])
    trust = trust_of(vector) if "roots" in vector else None
    try:
        if ask == "root-chain":
            chain = [found.envelope for found in dearmor_all(document)]
            trust = trust.follow(chain, now=parse_timestamp(vector["now"], "now"))
            return payload_of(trust.envelope)
        if vector["form"] == "text":
            document = dearmor(document, vector["kind"])
        if ask == "first-root":
            return payload_of(Trust.start(document).envelope)
        if ask == "next-root":
            return payload_of(trust.update(document, now=parse_timestamp(vector["now"], "now")).envelope)
        if ask == "role":
            payload = trust.verify(document, vector["kind"])
        else:
            keys = [PublicKey(bytes.fromhex(key)) for key in vector["keys"]]
            payload = verify(document, vector["kind"], keys, vector["threshold"])
        parse_json(payload)
    except SignedDocumentError as error:
        return error.reason
    return payload


def payload_of(envelope):
    return base64.b64decode(json.loads(envelope)["payload"])


@pytest.mark.parametrize("name", VECTORS)
def test_our_verifier_answers_as_the_vector_says(name):
    expected = VECTORS[name]["expected"]
    found = answer(VECTORS[name])
    assert found == (expected["reason"] if "reason" in expected else data(expected["payload"])), VECTORS[name]["shows"]


def test_no_id_comes_twice_and_every_field_is_known():
    listed = [found for file in FILES for found in json.loads(file.read_text())["vectors"]]
    assert not [name for name, times in Counter(found["id"] for found in listed).items() if times > 1]
    always = {"id", "shows", "ask", "form", "document", "expected"}
    more = {
        "verify": {"kind", "keys", "threshold"},
        "role": {"kind", "roots", "now"},
        "first-root": set(),
        "next-root": {"roots", "now"},
        "root-chain": {"roots", "now"},
    }
    for found in listed:
        assert set(found) == always | more[found["ask"]], found["id"]
        assert found["form"] in ("envelope", "text")
        assert len(found["expected"]) == 1
        assert found.get("kind", "root") in KINDS


def test_every_reason_of_the_format_has_a_vector_and_every_kind_is_taken_once():
    seen = {found["expected"].get("reason") for found in VECTORS.values()}
    assert seen - {None} == set(REASONS) - ELSEWHERE
    assert {found["kind"] for found in VECTORS.values() if found["id"].startswith("kind-")} == set(KINDS)
    assert len(VECTORS) >= 120
    assert sum("payload" in found["expected"] for found in VECTORS.values()) >= 60


def test_the_page_says_what_there_is(root):
    page = (root / "docs/reference/signed-documents.md").read_text(encoding="utf-8")
    section = page.split("## Vectors")[1].split("## Reasons")[0]
    assert f"holds {len(VECTORS)} documents" in section
    for ask in {found["ask"] for found in VECTORS.values()}:
        assert f"\n- `{ask}`: " in section
    for field in {field for found in VECTORS.values() for field in found}:
        assert f"`{field}`" in section


def test_the_generator_writes_the_same_bytes_again(tmp_path):
    """In a process of its own, whose hashes have another seed: no order of a set gets into the files."""
    subprocess.run([sys.executable, HERE / "make_vectors.py", tmp_path], check=True, timeout=120)
    assert [file.name for file in sorted(tmp_path.iterdir())] == [file.name for file in FILES]
    for file in FILES:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), f"run {HERE.name}/make_vectors.py"


def test_the_generator_uses_nothing_of_what_it_tests():
    program = "import sys, make_vectors; make_vectors.files(); print(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=True, timeout=120
    )
    modules = ran.stdout.split()
    assert "vectors_of_roots" in modules
    assert not [name for name in modules if name.startswith("tunesmith.")]


class Oracle:
    """securesystemslib: DSSE by the people who specified it. It knows no kinds, roots, texts and sizes."""

    def __init__(self):
        self.dsse = pytest.importorskip("securesystemslib.dsse", reason="needs the extra test")
        self.signer = pytest.importorskip("securesystemslib.signer", reason="needs the extra test")

    def payload(self, document, keys, threshold):
        """The payload, if it reads the envelope and enough of ``keys`` (32 bytes each) signed it; else None."""
        named = [
            self.signer.SSlibKey(hashlib.sha256(raw).hexdigest(), "ed25519", "ed25519", {"public": raw.hex()})
            for raw in keys
        ]
        try:
            envelope = self.dsse.Envelope.from_dict(json.loads(document))
            envelope.verify(named, threshold)
        except Exception:  # whatever it raises for bytes that nobody expected: it does not take them
            return None
        return envelope.payload


@pytest.fixture(scope="module")
def oracle():
    return Oracle()


def asked(vector):
    """The keys and the threshold of a vector, in what an oracle without roots understands."""
    if vector["ask"] == "verify":
        return [bytes.fromhex(key) for key in vector["keys"]], vector["threshold"]
    role = trust_of(vector).root.roles[ROLE_OF[vector["kind"]]]
    return [key.raw for key in role.keys], role.threshold


def test_a_second_verifier_differs_only_where_the_table_says_why(oracle):
    """Both ways: a difference that is not listed fails, and so does a listed one that is none any more."""
    found = {}
    for vector in ENVELOPES:
        payload = oracle.payload(data(vector["document"]), *asked(vector))
        expected = data(vector["expected"]["payload"]) if "payload" in vector["expected"] else None
        if payload != expected:
            found[vector["id"]] = "taken" if expected is None else "refused, or read otherwise"
    listed = {name for names in DIFFERENCES.values() for name in names}
    assert sorted(set(found) - listed) == []
    assert sorted(listed - set(found)) == []
    assert set(found.values()) == {"taken"}  # we refuse more, and take nothing that it refuses
    assert sum(map(len, DIFFERENCES.values())) == len(listed)


def test_the_second_verifier_agrees_about_who_signed_each_root(oracle):
    """The rule of two thresholds, by its verification of envelopes: old keys first, then those of the root itself."""
    seen = Counter()
    for vector in VECTORS.values():
        outcome = vector["expected"].get("reason", "taken")
        if vector["ask"] != "next-root" or outcome not in ("taken", "root-old-keys", "root-new-keys"):
            continue
        document = data(vector["document"])
        judges = [json.loads(payload_of(data(vector["roots"][-1]))), json.loads(payload_of(document))]
        takes = []
        for judge in judges:
            role = judge["roles"]["root"]
            keys = map(base64.b64decode, role["keys"])
            takes.append(oracle.payload(document, keys, role["threshold"]) is not None)
        said = "root-old-keys" if not takes[0] else "root-new-keys" if not takes[1] else "taken"
        assert outcome == said, vector["id"]
        seen[outcome] += 1
    assert min(seen.values()) >= 4
    assert len(seen) == 3
