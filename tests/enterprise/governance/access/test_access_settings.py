# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``[plugins.enterprise.access]``: what it may say, who may say it, and what is told about the rest."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from access_site import URL, Issuer, Site

from tunesmith.errors import SettingsError
from tunesmith_enterprise.governance.access.serving import open_access
from tunesmith_enterprise.governance.access.settings import AccessSettings, access_settings


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[plugins.enterprise.access]\n", "it names neither keys nor oidc"),
        ('[plugins.enterprise]\naccess = "keys.json"\n', "it is no table"),
        ('[plugins.enterprise.access]\nkeys = "keys.json"\n', "keys: it must be an absolute path"),
        ('[plugins.enterprise.access]\nkey = "/keys.json"\n', "key: extra inputs are not permitted"),
        ({"issuer": '"http://login.example"'}, "oidc.issuer: it must be an https address"),
        ({"issuer": '"https://a:b@login.example"'}, "oidc.issuer: it must be an https address"),
        ({"jwks_url": '"ftp://login.example"'}, "oidc.jwks_url: it must be an https address"),
        ({"audience": "[]"}, "oidc.audience: "),
        ({"audience": ""}, "oidc.audience: field required"),
        ({"algorithms": '["none"]'}, "oidc.algorithms.0: input should be 'RS256', 'ES256' or 'EdDSA'"),
        ({"algorithms": '["HS256"]'}, "oidc.algorithms.0: input should be 'RS256', 'ES256' or 'EdDSA'"),
        ({"leeway": "3600"}, "oidc.leeway: input should be less than or equal to 300"),
        ({"roles": '{staff = "root"}'}, "oidc.roles.staff: input should be 'viewer', 'user', 'operator' or 'admin'"),
        ({"roles": "{}"}, "oidc.roles: "),
        ({"tenants": '{a = "b c"}'}, "oidc.tenants.a: a name has 1 to 64 letters"),
    ],
)
def test_settings_that_cannot_be_keep_a_server_from_starting(site: Site, table: Any, words: str) -> None:
    site.machine.settings(table if isinstance(table, str) else Issuer(url=URL).table(**table))
    with pytest.raises(SettingsError) as caught:
        open_access()
    assert f"[plugins.enterprise.access] of the settings: {words}" in str(caught.value)
    assert site.machine.asked == []


def test_a_project_has_no_say_and_the_machine_has_the_last_word(site: Site) -> None:
    site.machine.settings("")
    table = '[plugins.enterprise.access]\nkeys = "{}"\n'
    (site.machine.folder / "tunesmith.toml").write_text(table.format("/from/the/project"))
    assert access_settings() is None
    with pytest.raises(SettingsError, match="the settings do not say who has one") as caught:
        open_access()
    assert "no table [plugins.enterprise.access]" in str(caught.value)
    site.machine.settings(table.format("/from/the/person"))
    machine = site.machine.folder / "etc" / "tunesmith.toml"
    machine.parent.mkdir()
    machine.write_text(table.format("/from/the/machine"))
    found = access_settings()
    assert isinstance(found, AccessSettings)
    assert str(found.keys) == "/from/the/machine"


def test_without_the_package_for_tokens_the_extra_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.machine.settings(Issuer(url=URL).table())
    for name in ("issuer", "tokens"):
        monkeypatch.delitem(sys.modules, f"tunesmith_enterprise.governance.access.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(SettingsError, match="the package that checks them is not installed") as caught:
        open_access()
    assert "pip install 'tunesmith-enterprise[oidc]'" in str(caught.value)
