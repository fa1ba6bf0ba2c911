# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``[plugins.enterprise.priority]`` of the settings, or the file that it names: classes, tenants, and what they may."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tunesmith.errors import SettingsError
from tunesmith_enterprise.governance.access.names import Name
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["OTHERS", "ClassPlan", "Plan", "TenantPlan", "priority_plan", "read_plan"]

OTHERS: Final = "(others)"
"""All tenants that the settings do not name, together: no tenant can be called so."""

_TABLE: Final = "[plugins.enterprise.priority]"
_EXAMPLE: Final = "at least one class: [plugins.enterprise.priority.classes.interactive] with rank = 0"
_RESERVED: Final = ("auto", "default")

Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**15)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClassPlan(_Table):
    """A class of requests.

    Attributes:
        rank: the smaller comes first, whatever the weights say.
        weight: of its share of the tokens, against other classes of the same rank.
        may_preempt: its requests take the place of such of a larger rank, between two steps.
        behind_share: of the places, that classes of larger ranks hold at most while a request of it is under way: the
            fewer, the faster are its steps, and the less is done in all. 0: they pause. Below 1 it must be one that
            may preempt.
        max_share: of the places for answers, that it has at most; at least one.
        min_share: of the tokens, that it gets while it waits, whatever comes before it. 0: none, it may starve.
        deadline_seconds: within which an answer must be whole, waiting included; None: as the server says for all.
    """

    rank: Annotated[int, Field(ge=0, le=1000)] = 0
    weight: Positive = 1.0
    may_preempt: bool = False
    behind_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    max_share: Share = 1.0
    min_share: Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)] = 0.0
    deadline_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _may_do_so(self) -> ClassPlan:
        if self.behind_share < 1 and not self.may_preempt:
            raise ValueError("behind_share below 1 makes others pause: it goes with may_preempt = true")
        return self


class TenantPlan(_Table):
    """A tenant, or all that are not named.

    Attributes:
        weight: of its share of the tokens, against other tenants that ask in the same class.
        concurrency: requests under way at once; None: as many as there are places.
        tokens_per_minute, tokens_per_day: read and made; None: as many as there are.
        classes: that it may use; none: all.
        default_class: of requests that name none; None: that of all.
    """

    weight: Positive = 1.0
    concurrency: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_day: Count | None = None
    classes: tuple[str, ...] = ()
    default_class: str | None = None


class Plan(_Table):
    """All of it.

    Attributes:
        classes: by name.
        tenants: likewise.
        others: tenants that are not named, all together one; "refuse": they are refused.
        default_class: of requests that name none, of tenants that say nothing; None: the class of the smallest rank.
    """

    classes: Annotated[Mapping[Name, ClassPlan], Field(min_length=1, max_length=50)]
    tenants: Annotated[Mapping[Name, TenantPlan], Field(max_length=10_000)] = {}
    others: TenantPlan | Literal["refuse"] = TenantPlan()
    default_class: str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Plan:
        for name in _RESERVED:
            if name in self.classes:
                raise ValueError(f"a class cannot be called {name}: clients say it where they want what is usual")
        everybody = {f"tenants.{name}": one for name, one in self.tenants.items()}
        if not isinstance(self.others, str):
            everybody["others"] = self.others
        self._check_name("default_class", self.default_class)
        for where, one in everybody.items():
            self._check_name(f"{where}.default_class", one.default_class)
            for name in one.classes:
                self._check_name(f"{where}.classes", name)
            usual = self.class_of(one, None)
            if one.classes and usual not in one.classes:
                raise ValueError(f"{where} may not use its usual class, {usual}: give it another default_class")
        if sum(one.min_share for one in self.classes.values()) > 0.9:
            raise ValueError("the min_share of all classes together is more than 0.9: nothing would be left to decide")
        return self

    def _check_name(self, where: str, name: str | None) -> None:
        if name is not None and name not in self.classes:
            raise ValueError(f"{where} names a class that there is not: {name}; there are {', '.join(self.classes)}")

    def class_of(self, tenant: TenantPlan, named: str | None) -> str:
        """The class of a tenant's request, that names one or none."""
        if named or tenant.default_class or self.default_class:
            return str(named or tenant.default_class or self.default_class)
        return min(tenant.classes or self.classes, key=lambda name: self.classes[name].rank)


def priority_plan(environ: Mapping[str, str] | None = None) -> Plan:
    """What the machine's settings say, or else the person's; a project has no say.

    Raises:
        SettingsError: they cannot be read, they say nothing, or what they say cannot be.
    """
    settings = enterprise_settings(environ)
    table = settings.get("priority")
    if table is None:
        raise _wrong("there is none, and enterprise/priority needs one", None)
    if not isinstance(table, dict):
        raise _wrong("it is no table", repr(table))
    if "file" not in table:
        return read_plan(table)
    if len(table) > 1 or not isinstance(table["file"], str) or not Path(table["file"]).is_absolute():
        given = ", ".join(f"{key} = {value!r}"[:100] for key, value in table.items())
        raise _wrong("where a file is named, its absolute path is all that stands there", given)
    return read_plan(_toml(Path(table["file"])), table["file"])


def read_plan(table: Mapping[str, Any], where: str = _TABLE) -> Plan:
    """A plan of what stands in TOML.

    Raises:
        SettingsError: what it says cannot be.
    """
    try:
        return Plan.model_validate_json(_json(table), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        told = f"{told[:1].lower()}{told[1:]}"
        raise _wrong(f"{at}: {told}" if at else told, f"{first.get('input')!r:.200}", where) from None


def _json(table: Mapping[str, Any]) -> str:
    # Strict models take tuples from JSON's lists, and not from Python's; dates and the like are told as what they are.
    import json

    return json.dumps(table, default=str)


def _toml(path: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(f"the file cannot be read: {error}", None, str(path)) from None
    return table


def _wrong(what: str, given: str | None, where: str = _TABLE) -> SettingsError:
    return SettingsError(
        f"{where} of the settings: {what}" if where == _TABLE else f"{where}: {what}",
        given=given,
        expected=_EXAMPLE,
        fix="correct it in the tunesmith.toml of the machine or of the person, or in the file that it names",
    )
