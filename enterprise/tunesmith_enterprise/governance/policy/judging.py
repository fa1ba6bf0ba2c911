# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a policy says of an action: every rule that concerns it, and whether it allows it.

Of a list of names: what ``deny`` names is refused; where there is an ``allow``, what it does not name is refused; where
there is none, ``default`` of the file holds.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tunesmith.plugin import ACTIONS, Action
from tunesmith.registry import Registry
from tunesmith_enterprise.governance.policy.digests import digest_of
from tunesmith_enterprise.governance.policy.licenses import license_of
from tunesmith_enterprise.governance.policy.matching import license_allowed, matching, within
from tunesmith_enterprise.governance.policy.roles import role_finding
from tunesmith_enterprise.governance.policy.schema import ACTIONS_OF, Names, Policy, WithLicenses
from tunesmith_enterprise.governance.policy.subjects import (
    Subject,
    data_subjects,
    engine_subject,
    model_of_sealed,
    model_subject,
    names_of,
)
from tunesmith_enterprise.governance.who import Account

__all__ = ["Finding", "judge"]


class Finding(NamedTuple):
    """What one rule says.

    Attributes:
        rule: its place in the file: ``models.allow``.
        what: what it was asked about: ``the model acme/base``.
        allowed: its answer.
        why: in words.
    """

    rule: str
    what: str
    allowed: bool
    why: str


def judge(policy: Policy, action: Action, account: Account, registry: Registry) -> Iterator[Finding]:
    """What the policy says of an action, rule by rule; the action may begin if all of them allow it.

    Args:
        account: whose process it is.
        registry: where names are looked up.
    """
    if policy.roles is not None:
        yield Finding(*role_finding(policy.roles, action.name, account))
    if action.name == "train":
        yield from _train(policy, action.details.get("recipe") or {}, registry)
    elif action.name == "evaluate":
        yield from _model(policy, action.subject, registry)
        yield from _data(policy, action.details.get("data") or (), registry)
    elif action.name == "open":
        yield from _open(policy, action, registry)
    elif action.name == "serve":
        yield from _serve(policy, action.details)
    elif action.name == "export":
        yield from _export(policy, action, registry)
    elif action.name == "unseal-copy":
        yield from _folders(policy, str(action.details.get("output")))
        yield from _unsealed(policy, action.subject, registry)
    elif action.name not in ACTIONS and not any(action.name in ours for ours in ACTIONS_OF.values()):
        yield Finding("default", f"the action {action.name}", policy.default == "allow", "the policy does not know it")


def _train(policy: Policy, recipe: Mapping[str, Any], registry: Registry) -> Iterator[Finding]:
    model, method, data = (recipe.get(part) or {} for part in ("model", "method", "data"))
    yield _named("tasks", policy.tasks, "task", names_of("task", str(recipe.get("task")), registry), policy.default)
    yield _named("methods", policy.methods, "method", (str(method.get("name", "full")),), policy.default)
    yield from _model(policy, str(model.get("name")), registry, revision=model.get("revision"))
    if model.get("trust_remote_code"):
        why = "the model brings Python code of its own, which would be run"
        yield Finding("models.remote_code", f"the model {model.get('name')}", policy.models.remote_code, why)
    sources = [one for split in ("train", "validation", "test") for one in data.get(split) or ()]
    yield from _data(policy, sources, registry)


def _open(policy: Policy, action: Action, registry: Registry) -> Iterator[Finding]:
    engine = action.details.get("engine")
    if engine is None:
        yield _named("engines", policy.engines, "engine", ("native",), policy.default)
        yield from _model(policy, action.subject, registry)
        return
    yield _named("engines", policy.engines, "engine", names_of("engine", str(engine), registry), policy.default)
    yield _listed("models", policy.models, "model", engine_subject(action.subject, registry), policy.default)


def _serve(policy: Policy, details: Mapping[str, Any]) -> Iterator[Finding]:
    host, listed = str(details.get("host")), policy.serve.addresses
    what = f"the address {host}"
    if listed is None:
        yield Finding("serve.addresses", what, policy.default == "allow", _by_default(policy.default))
    else:
        met = next((one for one in listed if _covers(one, host)), None)
        yield Finding("serve.addresses", what, met is not None, _by_list(met, listed))
    if policy.serve.access:
        named = details.get("access")
        why = f"it is asked of {named}" if named else "who asks has to be known: --access PLUGIN/NAME"
        yield Finding("serve.access", "a server", bool(named), why)


def _export(policy: Policy, action: Action, registry: Registry) -> Iterator[Finding]:
    to = str(action.details.get("to"))
    yield _named("exports", policy.exports, "form", names_of("exporter", to, registry), policy.default)
    yield from _folders(policy, str(action.details.get("output")))
    yield from _model(policy, action.subject, registry)


def _unsealed(policy: Policy, name: str, registry: Registry) -> Iterator[Finding]:
    """A model as if it were exported; and a file as what it was, whatever it is called now and wherever it was put."""
    model = model_of_sealed(name)
    if model is not None:
        yield from _model(policy, str(model), registry)
    if not os.path.isdir(name):
        refused = policy.models.model_copy(update={"allow": None})
        found = _listed("models", refused, "file", model_subject(name, registry), "allow")
        if not found.allowed:
            yield found


def _folders(policy: Policy, written: str) -> Iterator[Finding]:
    """Whether a model, or what was sealed, may be written there."""
    output, folders = os.path.expanduser(written), policy.exports.folders
    if folders is not None:
        allowed = within(output, folders)
        why = "it is in one of the folders" if allowed else f"allowed are {_some(folders)}"
        yield Finding("exports.folders", f"the folder {output}", allowed, why)


def _model(policy: Policy, name: str, registry: Registry, *, revision: str | None = None) -> Iterator[Finding]:
    subject = model_subject(name, registry, revision=revision)
    yield _listed("models", policy.models, "model", subject, policy.default)
    if subject.kind != "scratch" and _bottom(subject).kind != "scratch":
        yield from _licensed("models", policy.models, "model", subject)


def _data(policy: Policy, sources: Iterable[Any], registry: Registry) -> Iterator[Finding]:
    for source in sources:
        for subject in data_subjects(str(source), registry):
            yield _listed("data", policy.data, "data", subject, policy.default)
            yield from _licensed("data", policy.data, "data", subject)


def _named(table: str, names: Names, word: str, forms: tuple[str, ...], default: str) -> Finding:
    return _listed(table, names, word, Subject(forms[0], "named", forms), default)


def _listed(table: str, names: Names, word: str, subject: Subject, default: str) -> Finding:
    """By its own names, and by those of what is under it: any refusal refuses, one permission is enough."""
    what = f"the {word} {subject.written}"
    digests = any(one.startswith("sha256:") for one in (*names.deny, *(names.allow or ())))
    chain = [(one, (*one.forms, *([digest_of(one)] if digests else []))) for one in _chain(subject)]
    for one, forms in chain:
        met = matching(filter(None, (*forms, *one.linked)), names.deny)
        if met is not None:
            under = "" if one is subject else f"; it is what {one.written} under it is called"
            return Finding(f"{table}.deny", what, False, f"{met!r} is refused{under}")
    if names.allow is None:
        return Finding(f"{table}.allow", what, default == "allow", _by_default(default))
    for _, forms in chain:
        met = matching(filter(None, forms), names.allow)
        if met is not None:
            return Finding(f"{table}.allow", what, True, _by_list(met, names.allow))
    why = _by_list(None, names.allow)
    if subject.forms[0] != subject.written and subject.kind == "path":
        why = f"it is {subject.forms[0]}; {why}"
    return Finding(f"{table}.allow", what, False, why)


def _licensed(table: str, names: WithLicenses, word: str, subject: Subject) -> Iterator[Finding]:
    if names.licenses is None:
        return
    known = license_of(subject, names.licenses_of, dataset=word == "data")
    what = f"the license of the {word} {subject.written}"
    rule = f"{table}.licenses"
    if known.license is None:
        why = f"it is not known: {known.source}; an administrator can say it in [{table}.licenses_of]"
        yield Finding(rule, what, False, why)
        return
    allowed = license_allowed(known.license, names.licenses)
    why = f"it is {known.license}, says {known.source}"
    yield Finding(rule, what, allowed, why if allowed else f"{why}; allowed are {_some(names.licenses)}")


def _chain(subject: Subject) -> Iterator[Subject]:
    one: Subject | None = subject
    while one is not None:
        yield one
        one = one.base


def _bottom(subject: Subject) -> Subject:
    return list(_chain(subject))[-1]


def _covers(rule: str, host: str) -> bool:
    """Whether an address of the file is this one, or a network with it. 0.0.0.0 and :: are all addresses at once."""
    if rule.casefold() == host.casefold():
        return True
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False


def _by_default(default: str) -> str:
    return f"the policy has no list of them, and its default is {default!r}"


def _by_list(met: str | None, listed: Iterable[str]) -> str:
    return f"{met!r} is allowed" if met is not None else f"allowed are {_some(listed)}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - 8
    return (", ".join(listed[:8]) or "none") + (f" and {more} more" if more > 0 else "")
