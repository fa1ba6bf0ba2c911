# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which role may use which route of the server, and that no route is forgotten."""

from __future__ import annotations

import re

import pytest
from access_site import Site, ask

from tunesmith.plugin import RequestServed
from tunesmith.serve import Application
from tunesmith.serve.access import ACCESS
from tunesmith_enterprise.governance.access.roles import MEANINGS, ROLES, ROUTES, Role, least_role
from tunesmith_enterprise.governance.access.serving import open_access

ALLOWED = {
    "viewer": {"/v1/models", "/v1/models/{name:path}", "/metrics", "/openapi.json"},
    "user": {
        "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/classify", "/v1/score",
        "/v1/rerank", "/tokenize", "/detokenize",
    },
    "operator": {"/admin/adapters", "/admin/adapters/load", "/admin/adapters/unload"},
    "admin": set[str](),
}  # fmt: skip


def test_every_route_of_the_server_is_in_the_table_and_no_other() -> None:
    assert set(ROUTES) == {route for route, rule in ACCESS.items() if rule != "public"}
    assert set(MEANINGS) == set(ROLES) == set(ALLOWED)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_its_routes_and_those_of_the_roles_before_it(site: Site, role: Role) -> None:
    token = site.key(role)
    app = Application({}, access=open_access())
    told: list[RequestServed] = []
    app.observers[:] = [told.append]
    open_to = set[str]().union(*(ALLOWED[one] for one in ROLES[: ROLES.index(role) + 1]))
    for (method, path), rule in ACCESS.items():
        body = {"json": {}} if method == "POST" else {}
        answer = ask(app, method, re.sub(r"{.*}", "some", path), token, **body)
        if rule == "public" or path in open_to:
            assert answer.status_code not in (401, 403), path
        else:
            assert answer.status_code == 403, path
            error = answer.json()["error"]
            assert (error["type"], error["code"]) == ("permission_error", "role")
            assert error["message"].startswith(f"your role does not reach so far; given: {role} (")
            assert f"expected: {least_role(method, path, rule)} (" in error["message"]
    # Who was refused is known to the log.
    id_ = token.split("_")[1]
    assert {one.caller for one in told if one.route not in ("/", "/health/live", "/health/ready")} == {f"key:{id_}"}


def test_what_is_not_in_the_table() -> None:
    assert least_role("POST", "/plugins/demo/count", "use") == "user"
    assert least_role("POST", "/plugins/demo/count", "admin") == "admin"
    assert least_role("GET", "/v1/new", "use") == "admin"
    assert least_role("GET", "", "use") == "viewer"
    assert least_role("DELETE", "/v1/models", "use") == "viewer"
    assert least_role("GET", "/v1/chat/completions", "use") == "user"


def test_who_belongs_to_a_tenant_does_not_see_the_figures_of_the_others(site: Site) -> None:
    of_red = {role: site.key(role, "--tenant", "red") for role in ROLES}
    app = Application({}, access=open_access())
    for role, token in of_red.items():
        assert ask(app, "GET", "/metrics", token).status_code == (403 if role in ("viewer", "user") else 200), role
    assert ask(app, "GET", "/metrics", site.key("viewer")).status_code == 200


def test_what_is_not_there_is_told_to_whoever_is_known(site: Site) -> None:
    token = site.key("viewer")
    app = Application({}, access=open_access())
    assert ask(app, "GET", "/nothing").status_code == 401
    assert ask(app, "GET", "/nothing", token).status_code == 404
    assert ask(app, "DELETE", "/v1/models", token).status_code == 405
