# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys of Ed25519 in PKCS#11 tokens and hardware security modules, through the package ``python-pkcs11``.

securesystemslib's own signer for tokens knows ECDSA alone. This one asks for CKM_EDDSA without parameters, which is
Ed25519 as RFC 8032 has it (PKCS#11 3.1, section 6.3.16). The private key never leaves the token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from tunesmith.licensing import PublicKey
from tunesmith_vendor.errors import VendorError

__all__ = ["TokenKey", "TokenSigner", "public_key_in_token"]


class TokenKey:
    """Where a key lies: the parts of an RFC 7512 URI that are understood here.

    ``pkcs11:token=LABEL;object=LABEL;id=%01?module-path=/usr/lib/…/module.so``: ``module-path`` is needed, and
    ``object`` or ``id``; ``token`` may be left out where there is only one. Anything else is an error, rather than a
    key that was not meant.
    """

    def __init__(self, uri: str) -> None:
        path, _, query = uri.removeprefix("pkcs11:").partition("?")
        named = dict(part.partition("=")[::2] for part in path.split(";") if part)
        options = dict(parse_qsl(query))
        unknown = [*(named.keys() - {"token", "object", "id"}), *(options.keys() - {"module-path"})]
        if unknown or "module-path" not in options or not named.keys() & {"object", "id"}:
            raise VendorError(
                "this does not say which key of which token",
                given=", ".join(sorted(unknown)) + ", which is not understood" if unknown else uri,
                expected="pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/…/module.so",
                fix="the module is the library that the maker of the token ships",
            )
        self.module = options["module-path"]
        self.token = unquote(named["token"]) if "token" in named else None
        self.label = unquote(named["object"]) if "object" in named else None
        self.id = bytes(unquote(named["id"], "latin-1"), "latin-1") if "id" in named else None

    @contextmanager
    def session(self, pin: str | None) -> Iterator[Any]:
        """A session with the token; with a PIN for its private keys."""
        try:
            import pkcs11
        except ImportError:
            raise UnsupportedLibraryError("python-pkcs11 required: install tunesmith-vendor[pkcs11]") from None
        ready = pkcs11.TokenFlag.TOKEN_INITIALIZED
        token = pkcs11.lib(self.module).get_token(token_label=self.token, token_flags=ready)
        with token.open(user_pin=pin) as session:
            yield session

    def find(self, session: Any, kind: str) -> Any:
        """The one object of that class (``PRIVATE_KEY``, ``PUBLIC_KEY``) that the URI names."""
        import pkcs11

        return session.get_key(
            object_class=pkcs11.ObjectClass[kind], key_type=pkcs11.KeyType.EC_EDWARDS, label=self.label, id=self.id
        )


class TokenSigner(Signer):
    """Signs in the token; the PIN is asked for once, when it is opened."""

    SCHEME = "pkcs11"

    def __init__(self, place: TokenKey, public_key: SSlibKey, pin: str) -> None:
        self._place, self._public_key, self._pin = place, public_key, pin

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> TokenSigner:
        if not isinstance(public_key, SSlibKey) or secrets_handler is None:
            raise ValueError(f"{cls.SCHEME}: needs the public key and somebody to ask for the PIN")
        return cls(TokenKey(priv_key_uri), public_key, secrets_handler("pin"))

    @property
    def public_key(self) -> SSlibKey:
        return self._public_key

    def sign(self, payload: bytes) -> Signature:
        import pkcs11

        with self._place.session(self._pin) as session:
            key = self._place.find(session, "PRIVATE_KEY")
            made = key.sign(payload, mechanism=pkcs11.Mechanism.EDDSA)
        return Signature(self.public_key.keyid, bytes(made).hex())


def public_key_in_token(uri: str, pin: str) -> PublicKey:
    """The public half of a token's key, to take it into the register."""
    import pkcs11

    place = TokenKey(uri)
    with place.session(pin) as session:
        point = bytes(place.find(session, "PUBLIC_KEY")[pkcs11.Attribute.EC_POINT])
    # PKCS#11 3.x has the 32 bytes as they are; earlier drafts, and most modules, wrap them in an OCTET STRING.
    return PublicKey(point[2:] if len(point) == 34 and point[:2] == b"\x04\x20" else point)
