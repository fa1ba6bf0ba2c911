# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a policy says of an action: names, paths, licenses, forms, addresses, and what it does where it says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from policy_cases import ALL, ANA, a_run, answers, opened, refused, trained, why

from tunesmith.plugin import Action


def test_what_no_list_names_is_as_the_default_says() -> None:
    assert refused(trained()) == ["tasks.allow", "methods.allow", "models.allow", "data.allow"]
    assert refused(trained(), default="allow") == []
    assert "has no list of them, and its default is 'deny'" in why(trained(), "tasks.allow")


def test_a_list_that_allows_refuses_the_rest_whatever_the_default_is() -> None:
    for default in ("allow", "deny"):
        assert refused(trained(), default=default, **ALL) == []
        tasks = {**ALL, "tasks": {"allow": ["text-classification"]}}
        assert refused(trained(), default=default, **tasks) == ["tasks.allow"]
        assert why(trained(), "tasks.allow", **tasks) == "allowed are text-classification"


def test_what_is_refused_by_name_is_refused_though_a_list_allows_it() -> None:
    assert refused(trained(), **{**ALL, "methods": {"allow": ["*"], "deny": ["lora"]}}) == ["methods.deny"]


@pytest.mark.parametrize("pattern", ["chat", "tunesmith/chat", "tunesmith/*", "CHAT"])
def test_short_and_full_names_are_one(pattern: str) -> None:
    assert refused(trained(), **{**ALL, "tasks": {"allow": [pattern]}}) == []
    full = trained(task="tunesmith/chat")
    assert refused(full, **{**ALL, "tasks": {"allow": [pattern]}}) == []


@pytest.mark.parametrize(
    ("name", "pattern", "allowed"),
    [
        ("acme/base", "acme/*", True),
        ("ACME/Base", "acme/base", True),
        ("acme/base", "acme/other", False),
        ("acme/base", "/acme/*", False),
        ("scratch:llama-1m", "scratch:*", True),
        ("scratch:llama-1m", "acme/*", False),
        ("tiny", "tunesmith/tiny", True),
    ],
)
def test_models_by_their_names(name: str, pattern: str, allowed: bool) -> None:
    tables = {**ALL, "models": {"allow": [pattern]}}
    assert (refused(opened(name), **tables) == []) is allowed


def test_a_revision_can_be_asked_for() -> None:
    tables = {**ALL, "models": {"allow": ["acme/base@0123*"]}}
    assert refused(trained(model={"name": "acme/base", "revision": "01234567"}), **tables) == []
    assert refused(trained(model={"name": "acme/base", "revision": "main"}), **tables) == ["models.allow"]
    assert refused(trained(model={"name": "acme/base"}), **tables) == ["models.allow"]


def test_the_license_of_a_model_is_the_one_that_somebody_says(tmp_path: Path) -> None:
    mit = {"allow": ["*", "/*"], "licenses": ["MIT"]}
    assert refused(opened("tunesmith/tiny"), **{**ALL, "models": mit}) == []
    assert "it is MIT, says the plugin that brings it" in why(
        opened("tiny"), "models.licenses", **{**ALL, "models": mit}
    )
    base = tmp_path / "base"
    base.mkdir()
    assert refused(opened(base), **{**ALL, "models": mit}) == ["models.licenses"]
    assert "[models.licenses_of]" in why(opened(base), "models.licenses", **{**ALL, "models": mit})
    (base / "README.md").write_text("---\nlicense: llama3.1\ntags: [a]\n---\n# A model\n")
    assert "it is llama3.1, says the card" in why(opened(base), "models.licenses", **{**ALL, "models": mit})
    told = {**mit, "licenses_of": {f"{tmp_path}/*": "MIT"}}
    assert refused(opened(base), **{**ALL, "models": told}) == []
    run = a_run(tmp_path / "run", str(base))
    assert refused(opened(run), **{**ALL, "models": {**mit, "licenses_of": {str(base): "MIT"}}}) == []


def test_what_has_no_weights_yet_has_no_license() -> None:
    assert refused(opened("scratch:llama-1m"), **{**ALL, "models": {"allow": ["*"], "licenses": []}}) == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("mit", True),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only or MIT", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT-0", False),
        ("(MIT OR GPL-3.0-only) AND X", False),
    ],
)
def test_expressions_of_licenses(expression: str, allowed: bool) -> None:
    models = {"allow": ["*"], "licenses": ["MIT", "Apache-2.0"], "licenses_of": {"acme/*": expression}}
    assert (refused(opened("acme/base"), **{**ALL, "models": models}) == []) is allowed


def test_a_card_of_the_hub_says_its_license() -> None:
    from tunesmith.testing.hub import FakeHub

    card = b"---\nlicense: apache-2.0\n---\n"
    models = {"allow": ["*"], "licenses": ["Apache-2.0"]}
    with FakeHub() as hub:
        hub.add_model("acme/base", {"README.md": card})
        hub.add_model("acme/bare", {"config.json": b"{}"})
        hub.add_dataset("acme/rows", {"README.md": card, "train.csv": b"a"})
        assert refused(opened("acme/base"), **{**ALL, "models": models}) == []
        assert refused(opened("acme/bare"), **{**ALL, "models": models}) == ["models.licenses"]
        assert "its card on the hub cannot be read" in why(
            opened("acme/bare"), "models.licenses", **{**ALL, "models": models}
        )
        for name in ("hub:acme/rows#train", "acme/rows#train", "hub:acme/rows@main#train"):
            rows = trained(data={"train": [name]})
            assert refused(rows, **{**ALL, "data": models}) == []
            assert refused(rows, **{**ALL, "data": {"allow": ["hub:other/*"]}}) == ["data.allow"]


def test_code_that_comes_with_a_model_has_to_be_allowed() -> None:
    job = trained(model={"name": "acme/base", "trust_remote_code": True})
    assert refused(job, **ALL) == ["models.remote_code"]
    assert refused(job, **{**ALL, "models": {"allow": ["*"], "remote_code": True}}) == []


def test_every_file_of_a_pattern_and_every_link_in_a_folder_is_judged(tmp_path: Path) -> None:
    for name in ("ours/a.csv", "ours/b.csv", "theirs/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    tables = {**ALL, "data": {"allow": [f"{tmp_path}/ours/*", f"{tmp_path}/ours"]}}

    def rules(*sources: str) -> list[str]:
        return refused(trained(data={"train": [f"{tmp_path}/{one}" for one in sources]}), **tables)

    assert rules("ours/a.csv", "ours/*.csv", "ours") == []
    assert rules("*/*.csv") == ["data.allow"]
    assert rules("ours/../theirs/c.csv") == ["data.allow"]
    assert rules("nowhere/*.csv") == ["data.allow"]
    (tmp_path / "ours/d.csv").symlink_to(tmp_path / "theirs/c.csv")
    assert rules("ours/d.csv") == ["data.allow"]
    assert rules("ours") == ["data.allow"]
    (found,) = [one for one in answers(trained(data={"train": [f"{tmp_path}/ours"]}), **tables) if not one.allowed]
    assert "through the link" in found.what


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_split_is_judged(split: str) -> None:
    job = trained(data={"train": ["dataset:tiny-chat#train"], split: ["/secret/rows.csv"]})
    assert "data.allow" in refused(job, **{**ALL, "data": {"allow": ["dataset:*"]}})


def test_data_of_an_evaluation() -> None:
    action = Action(name="evaluate", subject="tunesmith/tiny", details={"data": ["/secret/rows.csv"]})
    assert refused(action, **ALL) == ["data.allow"]
    assert refused(action, **{**ALL, "data": {"allow": ["/secret/*"]}}) == []


def test_engines_are_allowed_by_name_and_what_they_open_by_its_address() -> None:
    native = {**ALL, "engines": {"allow": ["native"]}}
    assert refused(opened("tunesmith/tiny"), **native) == []
    assert refused(opened("openai:https://elsewhere/v1", engine="openai"), **native) == ["engines.allow"]
    assert refused(opened("openai:https://elsewhere/v1", engine="openai"), **ALL) == []
    ours = {**ALL, "models": {"allow": ["openai:https://ours/*"]}}
    assert refused(opened("openai:https://elsewhere/v1", engine="openai"), **ours) == ["models.allow"]


def test_exports_by_form_and_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    def rules(to: str, output: str, **exports: Any) -> list[str]:
        action = Action(name="export", subject="tunesmith/tiny", details={"to": to, "quantize": None, "output": output})
        return refused(action, **{**ALL, "exports": exports})

    only = {"allow": ["merged"], "folders": [str(tmp_path / "out")]}
    assert rules("merged", f"{tmp_path}/out/model", **only) == []
    assert rules("tunesmith/merged", f"{tmp_path}/out/deep/model", **only) == []
    assert rules("gguf", f"{tmp_path}/out/model", **only) == ["exports.allow"]
    for place in (f"{tmp_path}/out/../model", f"{tmp_path}/output", "model"):
        assert rules("merged", place, **only) == ["exports.folders"]
    (tmp_path / "out/link").symlink_to(tmp_path)
    assert rules("merged", f"{tmp_path}/out/link/model", **only) == ["exports.folders"]


@pytest.mark.parametrize(
    ("host", "addresses", "allowed"),
    [
        ("127.0.0.1", ["127.0.0.1"], True),
        ("localhost", ["127.0.0.0/8"], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("0.0.0.0", ["10.0.0.0/8", "127.0.0.1"], False),
        ("0.0.0.0", ["0.0.0.0"], True),
        ("::1", ["::1"], True),
        ("models.example", ["models.example"], True),
        ("models.example", ["10.0.0.0/8"], False),
    ],
)
def test_addresses_of_servers(host: str, addresses: list[str], allowed: bool) -> None:
    action = Action(name="serve", subject="a", details={"host": host, "port": 1, "models": ["a"]})
    assert (refused(action, serve={"addresses": addresses}) == []) is allowed
    assert refused(action) == ["serve.addresses"]


def test_a_server_may_have_to_know_who_asks() -> None:
    details = {"host": "127.0.0.1", "port": 1, "models": ["a"]}
    serve = {"addresses": ["127.0.0.1"], "access": True}
    action = Action(name="serve", subject="a", details=details)
    assert refused(action, serve=serve) == ["serve.access"]
    assert "--access PLUGIN/NAME" in why(action, "serve.access", serve=serve)
    known = Action(name="serve", subject="a", details={**details, "access": "enterprise/keys"})
    assert refused(known, serve=serve) == []


def test_an_action_that_nobody_knows_is_as_the_default_says() -> None:
    action = Action(name="teleport", subject="x")
    assert refused(action) == ["default"]
    assert refused(action, default="allow") == []
    assert refused(action, default="allow", roles={"default": "operator"}) == ["roles.admin"]


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("none", []),
        ("viewer", ["open", "evaluate"]),
        ("user", ["open", "evaluate", "train"]),
        ("operator", ["open", "evaluate", "train", "export", "serve"]),
        ("admin", ["open", "evaluate", "train", "export", "serve"]),
    ],
)
def test_what_each_role_may(role: str, may: list[str]) -> None:
    for name in ("open", "evaluate", "train", "export", "serve"):
        rules = refused(Action(name=name, subject="x"), default="allow", roles={"default": role})
        assert ([rule for rule in rules if rule.startswith("roles")] == []) is (name in may), (role, name)


@pytest.mark.parametrize(
    ("members", "role"),
    [
        ({"user": {"users": ["ana"]}}, "user"),
        ({"user": {"users": [1000]}}, "user"),
        ({"user": {"groups": ["ml"]}}, "user"),
        ({"user": {"groups": ["ml"]}, "admin": {"groups": ["staff"]}}, "admin"),
        ({"user": {"users": ["bob"], "groups": ["wheel"]}}, "viewer"),
        ({"admin": {"users": ["1000"]}}, "viewer"),
    ],
)
def test_an_account_has_the_highest_role_that_it_is_named_for(members: dict[str, Any], role: str) -> None:
    from tunesmith_enterprise.governance.policy.roles import role_of
    from tunesmith_enterprise.governance.policy.schema import RoleTable

    assert role_of(RoleTable.model_validate({"default": "viewer", **members}), ANA)[0] == role


def test_who_is_at_work_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import pwd

    from tunesmith_enterprise.governance.who import account

    for name in ("USER", "LOGNAME", "USERNAME", "LNAME"):
        monkeypatch.setenv(name, "root-of-all")
    assert account().name == pwd.getpwuid(os.getuid()).pw_name
    assert account().uid == os.getuid()
    assert account().groups
