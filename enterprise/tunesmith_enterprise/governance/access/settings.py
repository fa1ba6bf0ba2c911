# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``[plugins.enterprise.access]`` of the settings: where the keys are, and which issuer's tokens count."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tunesmith.errors import SettingsError
from tunesmith_enterprise.governance.access.names import Name
from tunesmith_enterprise.governance.access.roles import Role
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["ALGORITHMS", "AccessSettings", "OidcSettings", "access_settings", "is_safe_url"]

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Of signatures with two keys. Never ``none``, and never one whose key would also sign."""

_EXAMPLE: Final = '[plugins.enterprise.access] with keys = "/etc/tunesmith/access/keys.json"'


def is_safe_url(url: str) -> bool:
    """Whether nobody on the way can change what comes from there: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port_is_none_or_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None or parts.fragment or not port_is_none_or_number:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and is_this_machine(host)


def is_this_machine(host: str) -> bool:
    """Whether a host is a loopback address, or ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _safe_url(url: str) -> str:
    if not is_safe_url(url):
        raise ValueError("it must be an https address without a user name (http on this machine only)")
    return url


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("it must be an absolute path")
    return path


Url = Annotated[str, AfterValidator(_safe_url)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_several)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OidcSettings(_Table):
    """Whose tokens count, and what their claims mean.

    Attributes:
        issuer: as the tokens say it in ``iss``, letter by letter.
        audience: one of these a token must be for.
        jwks_url: where the issuer's keys are; None: where its ``/.well-known/openid-configuration`` says.
        algorithms: that signatures may have.
        leeway: seconds that the issuer's clock may be off.
        name_claim: who the caller is.
        role_claim, tenant_claim: claims with the values that ``roles`` and ``tenants`` name. A claim within a claim is
            written with a dot: ``realm_access.roles``.
        roles: from values of the role claim to roles. Of several the highest counts; with none of them nobody gets in.
        tenants: from values of the tenant claim to tenants; None: the value is the tenant.
        classes: of requests that callers with a token may name; none: all.
        models: that they may ask; none: all.
    """

    issuer: Url
    audience: Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]
    jwks_url: Url | None = None
    algorithms: Annotated[
        tuple[Literal["RS256", "ES256", "EdDSA"], ...], BeforeValidator(_several), Field(min_length=1)
    ] = ALGORITHMS
    leeway: Annotated[int, Field(ge=0, le=300, strict=True)] = 60
    name_claim: str = "sub"
    role_claim: str = "roles"
    roles: Annotated[Mapping[str, Role], Field(min_length=1)]
    tenant_claim: str | None = None
    tenants: Mapping[str, Name] | None = None
    classes: Names = ()
    models: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()


class AccessSettings(_Table):
    """Who may ask.

    Attributes:
        keys: the file of API keys; None: there are none.
        oidc: None: no tokens count.
    """

    keys: Annotated[Path, AfterValidator(_absolute)] | None = None
    oidc: OidcSettings | None = None


def access_settings(environ: Mapping[str, str] | None = None) -> AccessSettings | None:
    """What the machine's settings say, or else the person's; a project has no say. None: nothing.

    Raises:
        SettingsError: they cannot be read, or what they say cannot be.
    """
    settings = enterprise_settings(environ)
    table = settings.get("access")
    if table is None:
        return None
    if not isinstance(table, dict):
        raise _wrong("it is no table", repr(table))
    try:
        found = AccessSettings.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        raise _wrong(f"{where}: {told[:1].lower()}{told[1:]}", f"{first.get('input')!r:.200}") from None
    if found.keys is None and found.oidc is None:
        raise _wrong("it names neither keys nor oidc: nobody could ask", "an empty table")
    return found


def _wrong(what: str, given: str) -> SettingsError:
    return SettingsError(
        f"[plugins.enterprise.access] of the settings: {what}",
        given=given,
        expected=_EXAMPLE,
        fix="correct it in the tunesmith.toml of the machine or of the person",
    )
