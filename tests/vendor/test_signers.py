# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys that are kept elsewhere than in files: tokens and key services, with doubles, and with SoftHSM if there is one.

``TUNESMITH_TEST_PKCS11`` names the module of a SoftHSM 2 with Ed25519, if it lies in no usual place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signer, _vault_signer

from tunesmith.licensing import PublicKey, signed_bytes
from tunesmith_vendor import keys
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.key_files import Cost, new_private_key
from tunesmith_vendor.key_services import AWS_LARGEST
from tunesmith_vendor.signers import SCHEMES, WITHOUT_ED25519, check_uri, sslib_key
from tunesmith_vendor.tokens import TokenKey

Ask = Callable[[str], str]
URI = "pkcs11:token=desk;object=issuer?module-path=/usr/lib/module.so"
_MODULES = (
    os.environ.get("TUNESMITH_TEST_PKCS11", ""),  # read before a fixture forgets the variables of the shell
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


@pytest.fixture
def private() -> Ed25519PrivateKey:
    return new_private_key()


@pytest.fixture
def place(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk", Cost(n=2, r=1, p=1))


# ---- what can hold a key at all --------------------------------------------------------------------------------------


def test_every_scheme_that_is_offered_has_a_signer() -> None:
    assert SCHEMES.keys() <= SIGNER_FOR_URI_SCHEME.keys()


@pytest.mark.parametrize("scheme", sorted(WITHOUT_ED25519))
def test_places_without_ed25519_are_refused_with_the_reason(scheme: str) -> None:
    with pytest.raises(VendorError) as caught:
        check_uri(f"{scheme}:something")
    assert "no key of Ed25519 can be kept there" in str(caught.value)
    assert WITHOUT_ED25519[scheme] in str(caught.value)


def test_what_securesystemslib_itself_can_do_is_still_what_the_page_says() -> None:
    """The reason for signers of our own; this fails on the day when they are not needed any more."""
    public = sslib_key(PublicKey.of(new_private_key()))
    from securesystemslib.signer import AWSSigner, GCPSigner, HSMSigner, _gcp_signer, _hsm_signer

    assert public.scheme not in AWSSigner.aws_algos
    assert not [s for _, s in getattr(_gcp_signer, "KEYTYPES_AND_SCHEMES", {}).values() if s == public.scheme]
    with pytest.raises((ValueError, UnsupportedLibraryError)):
        HSMSigner(2, public, lambda _: "pin")
    assert GCPSigner.SCHEME == "gcpkms"
    assert "ed25519" not in (_hsm_signer.__doc__ or "").lower()


@pytest.mark.parametrize("uri", ["", "issuer", "pkcs11:", "https://example.com/key", "nothing:here"])
def test_what_names_no_place_is_refused_with_those_that_there_are(uri: str) -> None:
    with pytest.raises(VendorError, match="this names no place for a key") as caught:
        check_uri(uri)
    assert "awskms:alias/NAME" in str(caught.value)


@pytest.mark.parametrize("attribute", ["pin-value=1234", "pin-source=file:/pin"])
def test_a_pin_in_a_uri_is_refused_and_not_repeated(attribute: str) -> None:
    with pytest.raises(VendorError, match="a PIN does not belong into the register") as caught:
        check_uri(f"{URI}&{attribute}")
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:token=desk;object=issuer",  # no module
        "pkcs11:token=desk?module-path=/m.so",  # no key
        "pkcs11:object=issuer;slot-id=3?module-path=/m.so",
        "pkcs11:object=issuer?module-path=/m.so&module-name=other",
    ],
)
def test_a_uri_that_leaves_the_key_open_is_refused(uri: str) -> None:
    with pytest.raises(VendorError, match="this does not say which key of which token"):
        TokenKey(uri)


def test_parts_of_a_token_uri_are_unescaped() -> None:
    place = TokenKey("pkcs11:token=The%20desk;id=%01%FF?module-path=/usr/lib/a.so")
    assert (place.token, place.label, place.id, place.module) == ("The desk", None, b"\x01\xff", "/usr/lib/a.so")


# ---- doubles ---------------------------------------------------------------------------------------------------------


class Token:
    """A double of python-pkcs11 with one key in one token; notes what it was asked for."""

    def __init__(self, private: Ed25519PrivateKey, pin: str, wrapped: bool = True) -> None:
        self.asked: list[tuple[Any, ...]] = []
        raw = private.public_key().public_bytes_raw()
        point = b"\x04\x20" + raw if wrapped else raw

        class PinIncorrect(Exception):  # noqa: N818 -- its name there
            pass

        def sign(message: bytes, mechanism: str) -> bytes:
            self.asked.append(("sign", mechanism))
            return private.sign(message)

        class Session:
            @staticmethod
            def get_key(*, object_class: str, key_type: str, label: str | None, id: bytes | None) -> Any:  # noqa: A002
                self.asked.append((object_class, key_type, label, id))
                return SimpleNamespace(sign=sign) if object_class == "private" else {"EC_POINT": point}

        @contextmanager
        def opened(user_pin: str | None) -> Any:
            if user_pin != pin:
                raise PinIncorrect
            yield Session

        module = ModuleType("pkcs11")
        module.TokenFlag = SimpleNamespace(TOKEN_INITIALIZED="ready")  # type: ignore[attr-defined]
        module.ObjectClass = {"PRIVATE_KEY": "private", "PUBLIC_KEY": "public"}  # type: ignore[attr-defined]
        module.KeyType = SimpleNamespace(EC_EDWARDS="edwards")  # type: ignore[attr-defined]
        module.Mechanism = SimpleNamespace(EDDSA="eddsa")  # type: ignore[attr-defined]
        module.Attribute = SimpleNamespace(EC_POINT="EC_POINT")  # type: ignore[attr-defined]

        def get_token(**which: Any) -> Any:
            self.asked.append(tuple(which.values()))
            return SimpleNamespace(open=opened)

        def lib(path: str) -> Any:
            self.asked.append((path,))
            return SimpleNamespace(get_token=get_token)

        module.lib = lib  # type: ignore[attr-defined]
        self.module = module


@pytest.mark.parametrize("wrapped", [True, False], ids=["as most modules", "as PKCS#11 3.1"])
def test_a_token_tells_its_public_half_and_signs(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, wrapped: bool
) -> None:
    token = Token(private, "1234", wrapped)
    monkeypatch.setitem(sys.modules, "pkcs11", token.module)
    public = keys.fetch_public_key(URI, "issuer-1", lambda _: "1234")
    assert public == PublicKey.of(private)
    keys.import_uri(place, "issuer-1", "issuer", URI, public, lambda _: "1234")
    message = signed_bytes(b'{"schema":1}', "license")
    assert public.fits(place.signer("issuer-1", "issuer", lambda _: "1234")(message), message)
    assert token.asked[-4:] == [
        ("/usr/lib/module.so",),
        ("desk", "ready"),
        ("private", "edwards", "issuer", None),
        ("sign", "eddsa"),
    ]


def test_a_wrong_pin_warns_of_the_lock(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", Token(private, "1234").module)
    with pytest.raises(VendorError, match="many tokens lock themselves") as caught:
        keys.import_uri(place, "issuer-1", "issuer", URI, PublicKey.of(private), lambda _: "4321")
    assert "PinIncorrect" in str(caught.value)
    assert "4321" not in str(caught.value)
    assert not place.register().keys


def test_a_token_with_another_key_is_found_out_before_it_is_registered(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", Token(new_private_key(), "1234").module)
    with pytest.raises(VendorError, match="does not fit its public half"):
        keys.import_uri(place, "issuer-1", "issuer", URI, PublicKey.of(private), lambda _: "1234")
    assert not place.register().keys


@pytest.mark.parametrize(
    ("uri", "module"),
    [(URI, "pkcs11"), ("awskms:alias/issuer", "boto3"), ("gcpkms:projects/p/cryptoKeyVersions/1", "google.cloud")],
)
def test_a_library_that_is_not_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, place: Desk, private: Ed25519PrivateKey, uri: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for attempt in (
        lambda: keys.fetch_public_key(uri, "issuer-1", lambda _: "1234"),
        lambda: keys.import_uri(place, "issuer-1", "issuer", uri, PublicKey.of(private), lambda _: "1234"),
    ):
        with pytest.raises(VendorError, match="see the extras of tunesmith-vendor"):
            attempt()


class Aws:
    """A double of boto3's client for KMS, as strict about what it is asked as the service's own model."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, bytes]:  # noqa: N803
        assert (KeyId, MessageType, SigningAlgorithm) == ("alias/issuer", "RAW", "ED25519_SHA_512")
        assert 1 <= len(Message) <= 4096
        return {"Signature": self._private.sign(Message)}

    def get_public_key(self, *, KeyId: str) -> dict[str, bytes]:  # noqa: N803
        assert KeyId == "alias/issuer"
        return {"PublicKey": self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


def test_a_key_of_aws_signs_the_message_itself(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, ask: Ask
) -> None:
    boto3 = ModuleType("boto3")
    boto3.client = lambda name: {"kms": Aws(private)}[name]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    public = keys.fetch_public_key("awskms:alias/issuer", "issuer-1", ask)
    keys.import_uri(place, "issuer-1", "issuer", "awskms:alias/issuer", public, ask)
    signing = place.signer("issuer-1", "issuer", ask)
    assert public.fits(signing(b"x" * AWS_LARGEST), b"x" * AWS_LARGEST)
    with pytest.raises(VendorError, match="AWS KMS signs no document as large as this") as caught:
        signing(b"x" * (AWS_LARGEST + 1))
    assert "4,097 bytes" in str(caught.value)


def test_what_is_asked_of_aws_fits_its_published_model(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, ask: Ask
) -> None:
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which only an extra installs")
    stub = pytest.importorskip("botocore.stub")
    client = boto3.client("kms", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")
    expected = {
        "KeyId": "alias/issuer",
        "Message": b"tunesmith-vendor: does this key sign?",
        "MessageType": "RAW",
        "SigningAlgorithm": "ED25519_SHA_512",
    }
    with stub.Stubber(client) as stubbed:
        stubbed.add_response("sign", {"Signature": private.sign(expected["Message"])}, expected)  # type: ignore[arg-type]
        monkeypatch.setattr(boto3, "client", lambda name: client)
        keys.import_uri(place, "issuer-1", "issuer", "awskms:alias/issuer", PublicKey.of(private), ask)


def test_a_key_of_google_signs_data_and_no_digest(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, ask: Ask
) -> None:
    name = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    class Client:
        def asymmetric_sign(self, *, request: dict[str, Any]) -> Any:
            assert request.keys() == {"name", "data"}
            assert request["name"] == name
            return SimpleNamespace(signature=private.sign(request["data"]))

        def get_public_key(self, *, request: dict[str, Any]) -> Any:
            assert request == {"name": name}
            return SimpleNamespace(pem=pem)

    cloud = ModuleType("google.cloud")
    cloud.kms = SimpleNamespace(KeyManagementServiceClient=Client)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.cloud", cloud)
    uri = f"gcpkms:{name}"
    public = keys.fetch_public_key(uri, "issuer-1", ask)
    keys.import_uri(place, "issuer-1", "issuer", uri, public, ask)
    assert public.fits(place.signer("issuer-1", "issuer", ask)(b"message"), b"message")


def test_a_key_of_vault_signs_through_securesystemslib(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, ask: Ask
) -> None:
    def sign_data(name: str, *, hash_input: str, key_version: int) -> dict[str, Any]:
        assert (name, key_version) == ("issuer", 3)
        return {"data": {"signature": "vault:v3:" + b64encode(private.sign(b64decode(hash_input))).decode()}}

    transit = SimpleNamespace(sign_data=sign_data)
    client = SimpleNamespace(secrets=SimpleNamespace(transit=transit))
    monkeypatch.setattr(_vault_signer, "VAULT_IMPORT_ERROR", None)
    monkeypatch.setattr(_vault_signer, "hvac", SimpleNamespace(Client=lambda: client), raising=False)
    public = PublicKey.of(private)
    keys.import_uri(place, "issuer-1", "issuer", "hv:issuer/3", public, ask)
    assert public.fits(place.signer("issuer-1", "issuer", ask)(b"message"), b"message")
    with pytest.raises(VendorError, match="the public half of a key in hv: has to be given"):
        keys.fetch_public_key("hv:issuer/3", "issuer-1", ask)


def test_whatever_a_place_raises_becomes_one_error(
    monkeypatch: pytest.MonkeyPatch, private: Ed25519PrivateKey, place: Desk, ask: Ask
) -> None:
    class Unreachable(Signer):
        @classmethod
        def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, secrets_handler: Any = None) -> Any:
            return cls()

        @property
        def public_key(self) -> Any:
            raise NotImplementedError

        def sign(self, payload: bytes) -> Any:
            raise ConnectionError("no route")

    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "hv", Unreachable)
    with pytest.raises(VendorError) as caught:
        keys.import_uri(place, "issuer-1", "issuer", "hv:issuer/3", PublicKey.of(private), ask)
    assert "the key issuer-1 could not be used" in str(caught.value)
    assert "ConnectionError: no route" in str(caught.value)


# ---- a real token ----------------------------------------------------------------------------------------------------


def test_softhsm_keeps_a_key_and_signs_with_it(tmp_path: Path) -> None:
    module = next((name for name in _MODULES if name and Path(name).is_file()), None)
    program = shutil.which("softhsm2-util")
    if module is None or program is None:
        pytest.skip("needs SoftHSM 2 with Ed25519 and softhsm2-util; TUNESMITH_TEST_PKCS11 names its module")
    pytest.importorskip("pkcs11", reason="needs python-pkcs11, which only an extra installs")
    (tmp_path / "tokens").mkdir()
    settings = tmp_path / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings)}
    made = [
        program,
        "--module",
        module,
        "--init-token",
        "--free",
        "--label",
        "desk",
        "--pin",
        "1234",
        "--so-pin",
        "5678",
    ]
    subprocess.run(made, env=environment, check=True, capture_output=True)
    # In a process of its own: a module of PKCS#11 stays loaded, with its settings, until the process ends.
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("with_softhsm.py")), module, str(tmp_path / "desk")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["signed and believed", "PinIncorrect", "NoSuchKey", "NoSuchToken"]
