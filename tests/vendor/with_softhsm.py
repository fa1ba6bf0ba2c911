# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What test_signers.py does in a process of its own with a SoftHSM that has one empty token, called "desk"."""

import sys
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism

from tunesmith_vendor import keys
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.errors import VendorError

module, folder = sys.argv[1], Path(sys.argv[2])
uri = f"pkcs11:token=desk;object=issuer?module-path={module}"
ED25519 = bytes.fromhex("06032b6570")  # the object identifier 1.3.101.112

with pkcs11.lib(module).get_token(token_label="desk").open(user_pin="1234", rw=True) as session:
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519}, local=True)
    parameters.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="issuer", id=b"\x01")

desk = Desk(folder)
public = keys.fetch_public_key(uri, "issuer-1", lambda _: "1234")
keys.import_uri(desk, "issuer-1", "issuer", uri, public, lambda _: "1234")
message = b"x" * 100_000  # far more than any license: Ed25519 in a token signs the message itself
assert public.fits(desk.signer("issuer-1", "issuer", lambda _: "1234")(message), message)
print("signed and believed")

for wrong, pin in (
    (uri, "4321"),
    (uri.replace("object=issuer", "object=other"), "1234"),
    (uri.replace("token=desk", "token=other"), "1234"),
):
    try:
        keys.fetch_public_key(wrong, "issuer-1", lambda _, pin=pin: pin)
    except VendorError as error:
        print(str(error.given).partition(":")[0])
