# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The vectors of contents, and how our reader answers them: this is all that a reader has to do."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path

from tunesmith.licensing import PublicKey, SignedDocumentError, format_timestamp, parse_timestamp, verify
from tunesmith.licensing.contents import (
    parse_activation_response,
    parse_lease,
    parse_license,
    parse_pool,
    parse_revocations,
    read_activation_request,
    read_usage_report,
)
from tunesmith.licensing.contents.sub_issuing import read_license_under
from tunesmith_enterprise.entitlement.evidence import Facts
from tunesmith_enterprise.entitlement.states import judge

HERE = Path(__file__).parent
FILES = sorted((HERE / "vectors").glob("*.json"))
VECTORS = {found["id"]: found for file in FILES for found in json.loads(file.read_text())["vectors"]}
SAYS, STATES, UNDER = (
    {name: found for name, found in VECTORS.items() if found["ask"] == ask} for ask in ("says", "state", "under")
)
PARSE = {
    "license": parse_license,
    "pool": parse_pool,
    "lease": parse_lease,
    "revocations": parse_revocations,
    "activation-response": parse_activation_response,
}
READ = {"activation-request": read_activation_request, "usage-report": read_usage_report}


def data(value):
    """The bytes of a document of a vector."""
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"], validate=True)


def payload_of(envelope):
    return base64.b64decode(json.loads(envelope)["payload"])


def answer(vector):
    """What the document says, in the form of the vectors; or the reason why it is refused."""
    document, kind = data(vector["document"]), vector["kind"]
    try:
        if kind in READ:  # the key stands in the document
            found = READ[kind](document)
            assert found.key.raw.hex() == vector["key"]
        else:
            key = PublicKey(bytes.fromhex(vector["key"]))
            found = PARSE[kind](verify(document, kind, [key]))
    except SignedDocumentError as error:
        return error.reason
    return in_json(kind, found)


def answer_under(vector):
    """As ``answer``, for a license under another one, which the vendor signed."""
    key = PublicKey(bytes.fromhex(vector["key"]))
    granting = parse_license(verify(data(vector["granting"]), "license", [key]))
    try:
        return in_json("license", read_license_under(data(vector["document"]), granting))
    except SignedDocumentError as error:
        return error.reason


def state_of(vector):
    """The state of a license or a pool, by the facts of the vector."""
    kind, key = vector["kind"], PublicKey(bytes.fromhex(vector["key"]))
    document = PARSE[kind](verify(data(vector["document"]), kind, [key]))
    listed = None
    if "revocations" in vector:
        revoker = PublicKey(bytes.fromhex(vector["revoker"]))
        listed = parse_revocations(verify(data(vector["revocations"]), "revocations", [revoker]))
    facts = dict(vector["facts"])
    for name in ("now", "built_at"):
        facts[name] = facts[name] and parse_timestamp(facts[name], name)
    return judge(document, Facts(**facts), listed).state


def in_json(kind, found):
    """Every field of what was read, as JSON has it."""
    value = {"schema": 1} | plain(found)
    if kind == "revocations":
        value["revoked"] = value.pop("entries")
    if kind == "usage-report":
        value["journal"] = {"entries": value.pop("journal_entries"), "head": value.pop("journal_head")}
    return value


def plain(value):
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, PublicKey):
        return value.text
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if hasattr(value, "items"):
        return {name: plain(item) for name, item in value.items()}
    return value
