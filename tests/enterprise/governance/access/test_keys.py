# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith access key``, and what a running server makes of a change of the keys."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import threading
from datetime import timedelta

import pytest
from access_site import Site, ask
from desk import DAY, NOW
from licensed import HARM

from tunesmith.errors import OutputError, RequestError, SettingsError
from tunesmith.serve import AccessError, Application
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.governance.access.key_file import Key, change_keys, new_key, read_keys, seats_of
from tunesmith_enterprise.governance.access.keyring import Keyring
from tunesmith_enterprise.governance.access.serving import open_access


def id_of(token: str) -> str:
    return token.split("_")[1]


def found(keyring: Keyring, token: str) -> Key:
    return asyncio.run(keyring.find(token))


# ---- commands --------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_digest_for_its_owner_only(site: Site) -> None:
    out, err = site.run(
        "key", "create", "--role", "user", "--tenant", "red", "--class", "batch", "--class", "now", "--model", "chat",
        "--expires", "90d", "--note", "the shop",
    )  # fmt: skip
    token = out.strip()
    assert token.startswith("tsk_")
    assert len(token.split("_", 2)[2]) == 43
    assert token not in err
    assert f"made the key {id_of(token)} of the role user" in err
    content = site.keys.read_text()
    assert token not in content
    assert token.split("_", 2)[2] not in content
    assert stat.S_IMODE(site.keys.stat().st_mode) == 0o600
    (key,) = read_keys(site.keys)
    assert (key.tenant, key.classes, key.models, key.note) == ("red", ("batch", "now"), ("chat",), "the shop")
    assert key.expires == key.created + 90 * DAY
    assert key.sha256 not in repr(key)
    listed = json.loads(site.run("key", "list", "--json")[0])
    assert [(one["id"], one["state"], one["role"]) for one in listed] == [(id_of(token), "good", "user")]
    shown = json.dumps(listed) + site.run("key", "list")[0]
    assert key.sha256 not in shown
    assert token not in shown


def test_what_is_changed_is_in_the_audit_log_first_and_holds_no_secret(site: Site) -> None:
    token = site.key("operator", "--tenant", "red")
    second = site.run("key", "rotate", id_of(token))[0].strip()
    site.run("key", "revoke", id_of(second))
    records = list(site.machine.log.read())
    assert [(one.event, one.fields["key"]) for one in records] == [
        ("key-made", id_of(token)),
        ("key-rotated", id_of(second)),
        ("key-revoked", id_of(second)),
    ]
    assert records[0].fields["role"] == "operator"
    assert records[0].fields["by"]["pid"] == os.getpid()
    assert records[1].fields["rotated_from"] == id_of(token)
    text = site.machine.log.path.read_text()
    assert not [word for one in (token, second) for word in (one, one.split("_", 2)[2]) if word in text]
    assert not [key.sha256 for key in read_keys(site.keys) if key.sha256 in text]
    assert site.machine.log.verify() is None


def test_a_log_that_cannot_be_written_keeps_keys_as_they_are(site: Site) -> None:
    token = site.key()
    site.machine.log.path.write_text("no log\n")
    before = site.keys.read_bytes()
    for args in (("create", "--role", "user"), ("rotate", id_of(token)), ("revoke", id_of(token))):
        with pytest.raises(OutputError, match=r"audit log|chained log"):
            site.run("key", *args)
    assert site.keys.read_bytes() == before


def test_a_rotated_key_has_the_rights_of_the_old_one_which_opens_a_while_longer(site: Site) -> None:
    token = site.key("operator", "--tenant", "red", "--expires", "30d")
    second = site.run("key", "rotate", id_of(token), "--overlap", "2h")[0].strip()
    old, new = read_keys(site.keys)
    assert (new.role, new.tenant, new.rotated_from) == ("operator", "red", old.id)
    assert new.expires is not None
    assert new.expires - new.created == 30 * DAY
    assert old.expires is not None
    assert old.expires - new.created == timedelta(hours=2)
    at = [new.created]
    keyring = Keyring(site.keys, lambda: at[0])
    assert found(keyring, token).id == old.id
    assert found(keyring, second).id == new.id
    assert keyring.seats == 1
    at[0] = old.expires
    with pytest.raises(AccessError, match="this key has ended") as caught:
        found(keyring, token)
    assert (caught.value.code, caught.value.status) == ("expired_key", 401)
    assert found(keyring, second).id == new.id
    with pytest.raises(RequestError, match=f"was rotated to {new.id}"):
        site.run("key", "rotate", old.id)


def test_without_overlap_the_old_key_ends_at_once(site: Site) -> None:
    token = site.key()
    site.run("key", "rotate", id_of(token), "--overlap", "0")
    with pytest.raises(AccessError, match="this key has ended"):
        found(Keyring(site.keys), token)


def test_revoking_again_changes_nothing(site: Site) -> None:
    token = site.key()
    site.run("key", "revoke", id_of(token))
    before = read_keys(site.keys)
    site.run("key", "revoke", id_of(token))
    assert read_keys(site.keys) == before
    with pytest.raises(RequestError, match=f"{id_of(token)}, which is revoked"):
        site.run("key", "rotate", id_of(token))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("create", "--role", "root"), "there is no such role\n  given:    root\n  expected: viewer, user, operator"),
        (("create", "--role", "user", "--tenant", "a b"), "a name has 1 to 64 letters"),
        (("create", "--role", "user", "--class", ""), "a name has 1 to 64 letters"),
        (("create", "--role", "user", "--expires", "soon"), "this is no length of time"),
        (("create", "--role", "user", "--expires", "2020-01-01"), "a key would have ended already"),
        (("create", "--role", "user", "--note", "x" * 201), "a key cannot be so"),
        (("rotate", "000000000000"), "there is no key of this id\n  given:    000000000000"),
        (("revoke", "tsk_000000000000_secret"), "a key (not shown), in place of its id"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(site: Site, args: tuple[str, ...], words: str) -> None:
    site.key()
    before = site.keys.read_bytes()
    with pytest.raises(RequestError) as caught:
        site.run("key", *args)
    assert words in str(caught.value)
    assert site.keys.read_bytes() == before


def test_settings_without_keys_say_what_to_write(site: Site) -> None:
    site.machine.settings("")
    with pytest.raises(SettingsError, match="do not say where the keys are") as caught:
        site.run("key", "list")
    assert 'keys = "/etc/tunesmith/access/keys.json"' in str(caught.value)
    other = site.machine.folder / "other.json"
    site.run("key", "create", "--role", "viewer", "--file", str(other))
    assert len(read_keys(other)) == 1


def test_roles_are_printed(site: Site) -> None:
    out, _ = site.run("roles")
    assert out.index("viewer: ") < out.index("GET  /metrics") < out.index("user: ") < out.index("operator: ")
    assert json.loads(site.run("roles", "--json")[0])["operator"][0] == "GET /admin/adapters"


# ---- the license -----------------------------------------------------------------------------------------------------


def test_without_a_license_no_key_is_made_and_no_server_starts(site: Site) -> None:
    token = site.key()
    site.machine.delete()
    for begin in (lambda: site.run("key", "create", "--role", "user"), open_access):
        with pytest.raises(LicenseError, match="the feature governance needs a license, and none was found"):
            begin()
    assert len(read_keys(site.keys)) == 1
    site.run("key", "revoke", id_of(token))
    assert "revoked" in site.run("key", "list")[0]


def test_after_the_term_servers_and_rotation_go_on_and_nothing_new_is_made(site: Site) -> None:
    token = site.key()
    site.machine.expire()
    assert ask(Application({}, access=open_access()), "GET", "/v1/models", token).status_code == 200
    assert site.run("key", "rotate", id_of(token))[0].startswith("tsk_")
    with pytest.raises(SettingsError, match="the license has ended, and a new key would be something new"):
        site.run("key", "create", "--role", "user")


@pytest.mark.parametrize("harm", ["corrupted", "revoked"])
def test_a_license_that_does_not_count_is_as_none(site: Site, harm: str) -> None:
    site.key()
    HARM[harm](site.machine)
    with pytest.raises(LicenseError, match="the feature governance is not licensed"):
        open_access()


def test_a_license_of_other_features_or_of_another_product(site: Site) -> None:
    site.key()
    site.machine.install(features={"distributed": {}})
    with pytest.raises(LicenseError) as caught:
        open_access()
    assert (caught.value.code, caught.value.feature) == ("not-included", "governance")
    assert "a license with governance" in str(caught.value)
    site.machine.install(product="another-product")
    with pytest.raises(LicenseError) as caught:
        open_access()
    assert (caught.value.code, caught.value.feature) == ("invalid", "governance")


def test_a_server_that_runs_asks_for_nothing_more(site: Site) -> None:
    token = site.key()
    app = Application({}, access=open_access())
    asked = list(site.machine.asked)
    site.machine.delete()
    for _ in range(3):
        assert ask(app, "GET", "/v1/models", token).status_code == 200
    assert site.machine.asked == asked == ["governance", "governance"]


def test_more_keys_than_are_licensed(site: Site) -> None:
    site.machine.install(features={"governance": {"seats": 2}})
    site.key()
    token = site.key()
    with pytest.raises(LicenseError) as caught:
        site.key()
    assert caught.value.code == "limit"
    assert "3" in str(caught.value)
    assert "2" in str(caught.value)
    site.run("key", "rotate", id_of(token))  # the two are one
    open_access()
    site.machine.install(features={"governance": {"seats": 1}})
    with pytest.raises(LicenseError, match="governance"):
        open_access()


# ---- a running server ------------------------------------------------------------------------------------------------


def test_a_running_server_sees_new_and_revoked_keys(site: Site) -> None:
    first = site.key()
    app = Application({}, access=open_access())
    second = site.key("admin", "--tenant", "red")
    assert ask(app, "GET", "/admin/adapters", second).status_code == 200
    assert ask(app, "GET", "/v1/models", first).status_code == 200
    site.run("key", "revoke", id_of(first))
    refused = ask(app, "GET", "/v1/models", first)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "revoked_key")
    assert id_of(first) in refused.text
    assert first not in refused.text


@pytest.mark.parametrize("harm", ["damaged", "emptied", "removed", "opened to others", "repeated"])
def test_a_damaged_file_keeps_the_last_good_keys_and_says_so_once(
    site: Site, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = site.key()
    keyring = Keyring(site.keys)
    good = site.keys.read_bytes()
    if harm == "removed":
        site.keys.unlink()
    elif harm == "opened to others":
        site.keys.chmod(0o640)
    elif harm == "repeated":
        whole = json.loads(good)
        site.keys.write_text(json.dumps({**whole, "keys": whole["keys"] * 2}))
    else:
        site.keys.write_bytes(b"" if harm == "emptied" else good[:-20])
    with caplog.at_level(logging.WARNING, "tunesmith.enterprise.access"):
        for _ in range(3):
            assert found(keyring, token).role == "user"
        assert len(caplog.records) == 1
        assert "the keys that were there before still count" in caplog.text
        site.keys.unlink(missing_ok=True)
        site.keys.touch(0o600)
        site.keys.write_bytes(good)
        assert found(keyring, token).role == "user"
        assert "the keys were changed: 1 of them are good now" in caplog.text
    site.keys.write_bytes(b"{}")
    with pytest.raises(SettingsError, match="the file of keys is damaged"):
        Keyring(site.keys)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged: this is no JSON"),
        (b'{"schema": 2, "keys": []}', "is damaged: schema"),
        (b'{"schema": 1, "keys": [], "more": 1}', "is damaged: more"),
        (b'{"schema": 1, "keys": [{"id": "x"}]}', "is damaged: keys.0.id: an id has 12 hexadecimal digits"),
        (b'{"schema": 1, "schema": 1, "keys": []}', "is damaged: "),
        (b"[" * 100_000, "is damaged: "),
    ],
)
def test_a_file_that_is_none_is_named_with_what_is_wrong(site: Site, content: bytes, words: str) -> None:
    site.key()
    site.keys.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        open_access()
    assert words in str(caught.value)
    with pytest.raises(SettingsError):
        site.key()
    assert site.keys.read_bytes() == content


def test_others_who_can_read_the_file_keep_a_server_from_starting(site: Site) -> None:
    site.key()
    site.keys.chmod(0o644)
    with pytest.raises(SettingsError, match="others than its owner can open the file of keys") as caught:
        open_access()
    assert "permissions 644" in str(caught.value)
    assert f"chmod 600 {site.keys}" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: token.upper(),
        lambda token: "tsk_" + "0" * 12 + "_" + token.split("_", 2)[2],
        lambda token: "tsk_",
        lambda token: "tsk__" + token,
        lambda token: token + "\x00",
        lambda token: token.replace("tsk_", "tsk_tsk_"),
        lambda token: "tsk_" + "x" * 30_000,
        lambda token: "another",
    ],
)
def test_a_wrong_key_opens_nothing_and_is_not_repeated(site: Site, change: object) -> None:
    token = site.key()
    wrong = change(token)  # type: ignore[operator]
    keyring = Keyring(site.keys)
    with pytest.raises(AccessError, match="this key is not known here") as caught:
        found(keyring, wrong)
    assert wrong not in str(caught.value)
    assert token.split("_", 2)[2] not in str(caught.value)


def test_many_requests_wait_for_one_reading_of_changed_keys(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    token = site.key()
    keyring = Keyring(site.keys)
    site.run("key", "revoke", id_of(token))

    async def go() -> list[Key | BaseException]:
        return await asyncio.gather(*(keyring.find(token) for _ in range(50)), return_exceptions=True)

    with caplog.at_level(logging.WARNING, "tunesmith.enterprise.access"):
        assert {getattr(one, "code", None) for one in asyncio.run(go())} == {"revoked_key"}
    assert [record.getMessage() for record in caplog.records] == ["the keys were changed: 0 of them are good now"]


def test_callers_carry_what_the_key_says(site: Site) -> None:
    token = site.key("user", "--tenant", "red", "--class", "now", "--model", "chat")
    operator = site.key("operator")
    app = Application({}, access=open_access())
    refused = ask(app, "POST", "/tokenize", token, json={"model": "other", "prompt": "a"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    figures = ask(app, "GET", "/metrics", operator).text
    assert f'caller="key:{id_of(token)}",status="403",tenant="red"' in figures


def test_a_request_without_a_key_is_told_what_is_wanted(site: Site) -> None:
    site.key()
    app = Application({}, access=open_access())
    refused = ask(app, "GET", "/v1/models")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    error = refused.json()["error"]
    assert error["code"] == "no_token"
    assert "an API key (tsk_…)" in error["message"]
    assert "single sign-on" not in error["message"]
    assert ask(app, "GET", "/v1/models", "no-key-at-all").json()["error"]["code"] == "unknown_key"


def test_commands_that_change_the_keys_at_once_lose_none(site: Site) -> None:
    site.key()

    def add() -> None:
        for _ in range(5):
            _, key = new_key(NOW, role="user")
            change_keys(site.keys, lambda keys, key=key: (*keys, key))  # type: ignore[misc]

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_keys(site.keys)) == 21
    assert seats_of(read_keys(site.keys), NOW) == 21
