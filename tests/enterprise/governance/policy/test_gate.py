# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The policy at the gate: what it refuses in which words, what happens when it cannot be read, and in every license."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from licensed import HARM, Machine, a_machine

from tunesmith.plugin import Action, Allow, Deny
from tunesmith_enterprise import plugin
from tunesmith_enterprise.governance import hooks
from tunesmith_enterprise.settings import KEYS

HEAD = 'version = 1\ncontact = "ml-platform@example.com"\ndefault = "allow"\n'
OPEN = Action(name="open", subject="acme/base")
EVALUATE = Action(name="evaluate", subject="tunesmith/tiny", details={"data": []})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def governed(machine: Machine, policy: str | None, *, log: bool = False) -> Path:
    """Settings that name a policy, and the policy."""
    file = machine.folder / "policy.toml"
    if policy is not None:
        file.write_text(policy)
    lines = ["[plugins.enterprise]", f'policy = "{file.as_posix()}"']
    machine.settings("\n".join([*lines, *([f'audit_log = "{machine.log.path.as_posix()}"'] if log else [])]))
    return file


def denied(action: Action) -> Deny:
    answer = plugin.tunesmith_authorize(action)
    assert isinstance(answer, Deny), answer
    return answer


def test_what_the_policy_has_nothing_against_begins_with_a_grant(machine: Machine) -> None:
    governed(machine, HEAD)
    answer = plugin.tunesmith_authorize(EVALUATE)
    assert isinstance(answer, Allow)
    assert [one["feature"] for one in answer.record["grants"]] == ["governance"]


def test_a_no_names_the_rule_what_was_given_what_is_allowed_and_whom_to_ask(machine: Machine) -> None:
    file = governed(machine, HEAD + '[models]\nallow = ["tunesmith/*", "ours/*"]\n')
    answer = denied(OPEN)
    assert answer.reason == (
        f"the policy {file} does not allow the model acme/base (models.allow): allowed are tunesmith/*, ours/*"
    )
    assert answer.fix == ["see what it allows: `tunesmith policy show`", "or ask ml-platform@example.com"]
    assert machine.asked == []  # a policy's no takes no seat


def training(**train: object) -> Action:
    recipe = {"task": "text-classification", "model": {"name": "acme/base"}, "data": {}, "train": train}
    return Action(name="train", subject="runs/1", details={"recipe": recipe})


@pytest.mark.parametrize("strategy", ["overlapped", "float8"])
def test_the_policys_no_is_told_where_a_license_is_missing_too(machine: Machine, strategy: str) -> None:
    governed(machine, HEAD + '[models]\ndeny = ["acme/*"]\n', log=True)
    machine.delete()
    assert "(models.deny): 'acme/*' is refused" in denied(training(strategy=strategy)).reason
    assert machine.asked == []
    assert machine.events == ["refused"]


@pytest.mark.parametrize("strategy", ["overlapped", "float8"])
def test_what_the_policy_allows_still_needs_the_license_of_its_feature(machine: Machine, strategy: str) -> None:
    governed(machine, HEAD)
    machine.install(features={"governance": {}})
    assert "optimizations" in denied(training(strategy=strategy)).reason
    assert machine.asked == ["optimizations"]


def test_the_policys_no_to_a_model_comes_before_the_compile_cache(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith_enterprise.optimizations.compile_cache import hooks as compile_cache

    monkeypatch.setattr(compile_cache, "_sharing", None)
    file = governed(machine, HEAD + '[models]\ndeny = ["acme/*"]\n')
    cache = 'compile_cache = { folder = "/there", key_file = "/no/key" }'
    machine.settings(f'[plugins.enterprise]\npolicy = "{file.as_posix()}"\n{cache}\n')
    assert "models.deny" in denied(OPEN).reason
    file.write_text(HEAD)
    assert "the folder of compile_cache cannot be used" in denied(OPEN).reason


def test_a_policy_is_judged_once_for_an_action(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith_enterprise.governance.policy import gate

    judged: list[str] = []
    monkeypatch.setattr(gate, "judge", lambda policy, action, *_: judged.append(action.name) or ())
    governed(machine, HEAD, log=True)
    assert isinstance(plugin.tunesmith_authorize(EVALUATE), Allow)
    assert judged == ["evaluate"]


WRONG = [
    (None, "cannot be read: No such file or directory"),
    ("version = ", "cannot be read: "),
    ("", "lacks version: nothing; expected version = 1"),
    ('version = 2\ncontact = "a"\ndefault = "deny"', "version of the policy"),
    ('version = 1\ncontact = "a"\n', 'lacks default: nothing; expected default = "deny" or "allow"'),
    (HEAD.replace("allow", "maybe"), "default of the policy"),
    (HEAD + "[modles]\nallow = []\n", "has a key that nobody reads: modles; expected models"),
    (HEAD + '[models]\nalow = ["*"]\n', "has a key that nobody reads: models.alow; expected allow"),
    (HEAD + '[models]\nallow = "*"\n', "models.allow of the policy"),
    (HEAD + "[roles]\ndefault = 'king'\n", "roles.default of the policy"),
    (HEAD + "[roles.king]\nusers = []\n", "has a key that nobody reads: roles.king"),
    (HEAD + "[exports]\nfolders = ['out']\n", "it has to be an absolute path"),
    (HEAD + "[serve]\naddresses = ['*']\n", "it has to be an address, a network such as 10.0.0.0/8, or a host's name"),
    (HEAD + "[retention]\nfolders = ['/r']\nrules = []\n", "retention.rules of the policy"),
    (HEAD + "[retention]\nfolders = ['/r']\n[[retention.rules]]\nstatus = ['failed']\n", "every run would be removed"),
    (HEAD + "[retention]\nfolders = ['/r']\n[[retention.rules]]\nkeep = 1\nage = 3\n", "retention.rules.0.age"),
    ("x" * (1 << 20) + "x", "it is longer than 1,048,576 bytes"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_policy_that_cannot_be_read_refuses_everything_and_says_why(
    machine: Machine, text: str | None, words: str
) -> None:
    file = governed(machine, text)
    for name in ("train", "evaluate", "open", "serve", "export", "something-new"):
        answer = denied(Action(name=name, subject="x"))
        assert words in answer.reason
        assert str(file) in answer.reason
        assert answer.reason.endswith("nothing begins until the policy can be read and applied")
        assert answer.fix[-1] == "or ask whoever set policy in [plugins.enterprise] of tunesmith.toml"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_policy_without_permission_to_read_it_refuses_everything(machine: Machine) -> None:
    governed(machine, HEAD).chmod(0)
    assert "Permission denied" in denied(OPEN).reason


def test_a_fault_in_the_policys_own_code_refuses(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith._plugins import authorize
    from tunesmith.errors import DeniedError
    from tunesmith_enterprise.governance.policy import gate

    governed(machine, HEAD)
    monkeypatch.setattr(gate, "judge", lambda *_: 1 / 0)
    with pytest.raises(DeniedError, match="it failed: ZeroDivisionError"):
        authorize(EVALUATE)


@pytest.mark.parametrize("harm", HARM)
def test_the_policy_holds_in_every_state_of_the_license(machine: Machine, harm: str) -> None:
    """That a license is gone lifts no rule: else taking it away would be a way around the policy."""
    governed(machine, HEAD + '[models]\ndeny = ["acme/*"]\n')
    HARM[harm](machine)
    assert "models.deny" in denied(OPEN).reason
    assert isinstance(plugin.tunesmith_authorize(Action(name="open", subject="tunesmith/tiny")), Allow)


@pytest.mark.parametrize("harm", [one for one in HARM if one != "expired"])
def test_without_a_license_nothing_new_begins_where_a_policy_is_asked_for(machine: Machine, harm: str) -> None:
    governed(machine, HEAD, log=True)
    HARM[harm](machine)
    answer = denied(EVALUATE)
    assert answer.reason.endswith("the settings ask for an audit log and a policy")
    assert answer.fix[-1] == "or ask whoever set audit_log and policy in [plugins.enterprise] of tunesmith.toml"


def test_after_the_term_work_goes_on_under_the_policy(machine: Machine) -> None:
    governed(machine, HEAD)
    machine.expire()
    answer = plugin.tunesmith_authorize(EVALUATE)
    assert isinstance(answer, Allow)
    assert answer.record["grants"][0]["effect"] == "kept"


def test_what_is_refused_is_in_the_audit_log_as_refused(machine: Machine) -> None:
    governed(machine, HEAD + '[models]\ndeny = ["acme/*"]\n', log=True)
    denied(OPEN)
    (record,) = machine.log.read()
    assert record.event == "refused"
    assert (record.fields["action"], record.fields["subject"]) == ("open", "acme/base")
    assert "(models.deny): 'acme/*' is refused" in record.fields["reason"]
    assert list(record.fields["by"]) == ["user", "host", "pid"]


def test_a_log_that_cannot_be_written_does_not_hide_the_no(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    governed(machine, HEAD + '[models]\ndeny = ["acme/*"]\n', log=True)
    machine.log.path.write_text("something else\n")
    assert "models.deny" in denied(OPEN).reason
    assert "is not in the audit log" in caplog.text


def test_a_policy_that_was_changed_counts_from_the_next_action_on(machine: Machine) -> None:
    file = governed(machine, HEAD)
    assert isinstance(plugin.tunesmith_authorize(OPEN), Allow)
    file.write_text(HEAD + '[models]\ndeny = ["acme/*"]\n')
    assert "models.deny" in denied(OPEN).reason


def test_the_accounts_role_is_asked_of_the_system(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith_enterprise.governance.policy import gate
    from tunesmith_enterprise.governance.who import Account

    governed(machine, HEAD + '[roles]\ndefault = "viewer"\n[roles.operator]\ngroups = ["ops"]\n')
    serve = Action(name="serve", subject="a", details={"host": "127.0.0.1"})
    monkeypatch.setattr(gate, "account", lambda: Account("ana", 1000, ("staff",)))
    reason = denied(serve).reason
    assert (
        "does not allow the action serve (roles.operator): the account ana is named nowhere, so its role is viewer"
        in (reason)
    )
    assert reason.endswith("which may open, evaluate, unseal; operator may")
    monkeypatch.setattr(gate, "account", lambda: Account("ana", 1000, ("staff", "ops")))
    assert isinstance(plugin.tunesmith_authorize(serve), Allow)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("polciy", "policy"), ("policy_file", "policy"), ("Usage", "usage"), ("retention", ", ".join(KEYS))],
)
def test_a_key_of_the_settings_that_nobody_reads_keeps_work_from_beginning(
    machine: Machine, key: str, expected: str
) -> None:
    machine.settings(f'[plugins.enterprise]\n{key} = "/x"\n')
    reason = denied(OPEN).reason
    assert reason == f"[plugins.enterprise] of the settings has a key that nobody reads: {key}; expected {expected}"


def test_every_known_key_is_read_by_somebody(root: Path) -> None:
    sources = {
        file: file.read_text("utf-8")
        for file in (root / "enterprise/tunesmith_enterprise").rglob("*.py")
        if file.name != "settings.py"
    }
    unread = [key for key in KEYS if not any(f'"{key}"' in text or f"{key}: " in text for text in sources.values())]
    assert unread == []


def test_a_process_that_is_asked_for_nothing_any_more_asks_for_nothing(machine: Machine) -> None:
    governed(machine, HEAD)
    plugin.tunesmith_authorize(EVALUATE)
    machine.settings("")
    assert plugin.tunesmith_authorize(EVALUATE) is None
    assert hooks._governing is not None


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    from tunesmith_cli.main import main

    capsys.readouterr()
    code = main([*map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out + told.err


RECIPE = """\
task: text-classification
model: acme/base
data: {train: /secret/rows.csv}
output: runs/1
"""


def test_check_says_rule_by_rule_what_would_be_answered(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    governed(machine, HEAD + '[models]\nallow = ["acme/*"]\n[data]\nallow = ["/data/*"]\n')
    (machine.folder / "recipe.yaml").write_text(RECIPE)
    code, told = said(capsys, "policy", "check", "recipe.yaml")
    assert code == 1
    assert "train runs/1: no" in told
    assert "yes models.allow: the model acme/base: 'acme/*' is allowed" in told
    assert "no  data.allow: the data /secret/rows.csv: allowed are /data/*" in told
    assert "ask ml-platform@example.com" in told
    code, told = said(capsys, "policy", "check", "recipe.yaml", "--json")
    assert code == 1
    found = json.loads(told)
    assert found["allowed"] is False
    assert [one["rule"] for one in found["answers"][0]["findings"] if not one["allowed"]] == ["data.allow"]
    assert machine.asked == []


def test_check_looks_at_models_servers_and_exports_too(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, HEAD + '[serve]\naddresses = ["127.0.0.1"]\naccess = true\n')
    assert said(capsys, "policy", "check", "--open", "acme/base")[0] == 0
    code, told = said(capsys, "policy", "check", "--serve", "10.0.0.1")
    assert code == 1
    assert "no  serve.addresses: the address 10.0.0.1: allowed are 127.0.0.1" in told
    assert said(capsys, "policy", "check", "--serve", "127.0.0.1", "--access", "enterprise/keys")[0] == 0
    assert said(capsys, "policy", "check", "--export", "acme/base", "--to", "gguf", "--out", "/tmp/x")[0] == 0
    code, told = said(capsys, "policy", "check")
    assert code == 0
    assert "can be read; contact ml-platform@example.com, default allow" in told


def test_a_draft_is_looked_at_without_being_set(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.settings("")
    code, told = said(capsys, "policy", "check")
    assert code != 0
    assert "the settings name no policy" in told
    draft = machine.folder / "draft.toml"
    draft.write_text(HEAD + "[model]\n")
    code, told = said(capsys, "policy", "check", "--policy", draft)
    assert code != 0
    assert "has a key that nobody reads" in told
    draft.write_text(HEAD)
    assert said(capsys, "policy", "check", "--policy", draft)[0] == 0


def test_show_prints_the_policy_and_the_role_of_this_account(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    from tunesmith_enterprise.governance.who import account

    me: Any = account()
    governed(machine, HEAD + f'[models]\nallow = ["a/*", "b/*"]\n[roles.user]\nusers = ["{me.name}"]\n')
    code, told = said(capsys, "policy", "show")
    assert code == 0
    assert "a/*, b/*" in told
    assert f"user: the account {me.name} is named; may open, evaluate, unseal, train" in told
