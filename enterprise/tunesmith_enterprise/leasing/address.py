# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which license server, and how one shows it that one may ask. From the machine's and the person's settings, or from
the environment; a project's settings have no say in whom this machine talks to."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tunesmith.errors import SettingsError
from tunesmith.settings import plugin_settings

__all__ = ["KEYS", "VARIABLES", "LicenseServer", "configured"]

VARIABLES: Final = {
    "license_server": "TUNESMITH_LICENSE_SERVER",
    "license_server_ca": "TUNESMITH_LICENSE_SERVER_CA",
    "license_server_secret_file": "TUNESMITH_LICENSE_SERVER_SECRET_FILE",
    "license_server_cert": "TUNESMITH_LICENSE_SERVER_CERT",
    "license_server_key": "TUNESMITH_LICENSE_SERVER_KEY",
}
"""Keys of ``[plugins.enterprise]``, and the variables that say the same and win."""
KEYS: Final = tuple(VARIABLES)

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


@dataclass(frozen=True, slots=True)
class LicenseServer:
    """A license server.

    Attributes:
        url: ``https://host:port``, without a slash at the end; ``http`` for this machine only.
        authority: PEM file that signed the server's certificate; None: those that the system knows.
        secret_file: holds the shared secret; None: there is none.
        certificate, private_key: PEM files of this client, where the server asks for one.
    """

    url: str
    authority: Path | None = None
    secret_file: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None

    def secret(self) -> str | None:
        """The shared secret.

        Raises:
            SettingsError: the file cannot be read, or holds no secret.
        """
        if self.secret_file is None:
            return None
        try:
            found = self.secret_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds more than plain characters"
            raise SettingsError(
                f"the file with the license server's secret cannot be read: {reason}",
                given=self.secret_file,
                fix="correct license_server_secret_file, or its permissions",
            ) from None
        if not found or any(character.isspace() for character in found):
            raise SettingsError(
                "the file with the license server's secret does not hold one",
                given=self.secret_file,
                expected="one line, the same as on the server",
            )
        return found


def configured(environ: Mapping[str, str] | None = None) -> LicenseServer | None:
    """The license server that is configured; None: there is none, and nobody is asked.

    Raises:
        SettingsError: something about it is wrong. A server that was meant must not be passed over.
    """
    environ = os.environ if environ is None else environ
    table = plugin_settings("enterprise", environ, project=False)
    found = {key: _value(key, table, environ) for key in KEYS}
    url = found["license_server"]
    if url is None:
        stray = next((key for key in KEYS if found[key] is not None), None)
        if stray is not None:
            raise SettingsError(
                "there is no license server that this could be for",
                given=stray,
                expected="license_server as well",
                fix=f"set license_server or {VARIABLES['license_server']}, or leave it out",
            )
        return None
    certificate, key = (_path(name, found[name]) for name in ("license_server_cert", "license_server_key"))
    if (certificate is None) != (key is None):
        raise SettingsError(
            "a certificate of this client needs its key, and the other way round",
            expected="license_server_cert and license_server_key",
        )
    return LicenseServer(
        _url(url),
        _path("license_server_ca", found["license_server_ca"]),
        _path("license_server_secret_file", found["license_server_secret_file"]),
        certificate,
        key,
    )


def _value(key: str, table: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    value = environ.get(VARIABLES[key], "").strip() or table.get(key)
    if value is None or (isinstance(value, str) and value.strip()):
        return value and value.strip()
    raise SettingsError(
        f"{key} of [plugins.enterprise] has the wrong type", given=type(value).__name__, expected="a text"
    )


def _path(key: str, value: str | None) -> Path | None:
    if value is None:
        return None
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise SettingsError(
            f"{key} has to be an absolute path: a job may be started from any folder", given=value, expected="/…"
        )
    return path


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    whole = parts.scheme in ("http", "https") and parts.hostname and _HOST.fullmatch(parts.netloc)
    if not whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(
            "license_server is no address of a license server",  # not shown: somebody may have put a password into it
            expected="https://host:port, without a path, a user or a password",
            fix="the secret goes into a file: license_server_secret_file",
        )
    host = parts.hostname or ""
    if parts.scheme == "http" and not _is_this_machine(host):
        raise SettingsError(
            "a license server on another machine is asked over TLS only",
            given=f"http://{host}",
            expected=f"https://{host}" + (f":{port}" if port else ""),
            fix="start the server with --tls-cert and --tls-key, and name its authority in license_server_ca",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
