# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a policy file may say. Unknown keys, other types and lists that can never match are errors."""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tunesmith.runs.folder import STATUSES

__all__ = [
    "ACTIONS_OF",
    "ROLES",
    "Members",
    "Names",
    "Policy",
    "Retention",
    "Role",
    "RoleTable",
    "Rule",
    "WithLicenses",
]

Role = Literal["none", "viewer", "user", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = ("none", "viewer", "user", "operator", "admin")
"""The roles, each with all that the one before may do."""
ACTIONS_OF: Final[dict[Role, tuple[str, ...]]] = {
    "none": (),
    "viewer": ("open", "evaluate", "unseal"),
    "user": ("train",),
    "operator": ("export", "serve", "seal", "unseal-copy", "rewrap"),
    "admin": ("retention",),
}
"""What each role adds to the one before. ``unseal`` opens in memory, ``unseal-copy`` writes what is in there."""


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise ValueError("it has to be an absolute path: commands are run from any folder")
    return path


def _address(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        if not text or any(character.isspace() or character in "/*" for character in text):
            raise ValueError("it has to be an address, a network such as 10.0.0.0/8, or a host's name") from None
    return text


def _status(text: str) -> str:
    known = (*(one for one in STATUSES if one != "running"), "killed")
    if text not in known:
        raise ValueError(f"it has to be one of {', '.join(known)}")
    return text


Text = Annotated[str, Field(min_length=1)]
Absolute = Annotated[str, AfterValidator(_absolute)]


class Part(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Names(Part):
    """Names that are allowed and names that are not; in both, ``*`` stands for any text."""

    allow: list[Text] | None = None
    deny: list[Text] = Field(default_factory=list)


class WithLicenses(Names):
    """Names, and the licenses (SPDX) that what they name may have."""

    licenses: list[Text] | None = None
    licenses_of: dict[Text, Text] = Field(default_factory=dict)


class Models(WithLicenses):
    """Which models may be trained from, opened, evaluated and exported."""

    remote_code: bool = False


class Exports(Names):
    """Into which forms a model may be written, and where."""

    folders: list[Absolute] | None = None


class Serving(Part):
    """Where a server may listen, and whether it has to know who asks."""

    addresses: list[Annotated[str, AfterValidator(_address)]] | None = None
    access: bool = False


class Members(Part):
    """Who has a role: accounts of the system, by their names or numbers, and groups."""

    users: list[str | int] = Field(default_factory=list)
    groups: list[str | int] = Field(default_factory=list)


class RoleTable(Part):
    """Who may do what at the command line of this machine."""

    default: Role = "none"
    viewer: Members = Field(default_factory=Members)
    user: Members = Field(default_factory=Members)
    operator: Members = Field(default_factory=Members)
    admin: Members = Field(default_factory=Members)


class Rule(Part):
    """Which runs are removed: all that it says of a run has to hold."""

    status: list[Annotated[str, AfterValidator(_status)]] = Field(default_factory=list)
    older_than_days: int | None = Field(default=None, ge=0)
    keep: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.older_than_days is None and self.keep is None:
            raise ValueError("it needs older_than_days or keep: else every run would be removed")
        return self


class Retention(Part):
    """How long runs are kept."""

    folders: list[Absolute] = Field(min_length=1)
    pinned: list[Absolute] = Field(default_factory=list)
    rules: list[Rule] = Field(min_length=1)


class Policy(Part):
    """The whole file."""

    version: Literal[1]
    contact: Text
    default: Literal["allow", "deny"]
    models: Models = Field(default_factory=Models)
    data: WithLicenses = Field(default_factory=WithLicenses)
    tasks: Names = Field(default_factory=Names)
    methods: Names = Field(default_factory=Names)
    engines: Names = Field(default_factory=Names)
    exports: Exports = Field(default_factory=Exports)
    serve: Serving = Field(default_factory=Serving)
    roles: RoleTable | None = None
    retention: Retention | None = None

    def plain(self) -> dict[str, Any]:
        """What it says, as plain data, without what it leaves out."""
        return self.model_dump(exclude_unset=True)
