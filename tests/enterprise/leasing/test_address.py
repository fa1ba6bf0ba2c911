# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which license server is configured, and leases that are taken with commands."""

import json

import pytest
from desk import DAY, NOW
from lending import DISTRIBUTED
from typer.testing import CliRunner

from tunesmith.errors import NotFoundError, OutputError, SettingsError
from tunesmith_enterprise.commands import lease as commands
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.leasing import borrow, by_hand, configured, give_back, renew_by_hand, take_by_hand
from tunesmith_enterprise.leasing.address import VARIABLES


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Writes the person's settings; the machine's and the working folder's are none."""
    from tunesmith import settings

    monkeypatch.setattr(settings, "_SYSTEM", tmp_path / "etc")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config" / "tunesmith"
    folder.mkdir(parents=True)

    def write(text="", **environ):
        (folder / "tunesmith.toml").write_text(text)
        return configured({"XDG_CONFIG_HOME": str(tmp_path / "config"), **environ})

    return write


def test_without_a_word_of_it_there_is_no_license_server(settings):
    assert settings() is None


def test_the_settings_name_the_server_and_what_it_takes(settings):
    server = settings(
        '[plugins.enterprise]\nlicense_server = "https://license.example.com:8470/"\n'
        'license_server_ca = "/etc/ca.pem"\nlicense_server_secret_file = "/run/secrets/license"\n'
        'license_server_cert = "/etc/client.pem"\nlicense_server_key = "/etc/client.key"\n'
    )
    assert server.url == "https://license.example.com:8470"
    assert [str(path) for path in (server.authority, server.secret_file, server.certificate, server.private_key)] == [
        "/etc/ca.pem",
        "/run/secrets/license",
        "/etc/client.pem",
        "/etc/client.key",
    ]


def test_the_environment_wins(settings):
    server = settings(
        '[plugins.enterprise]\nlicense_server = "https://a.example.com"\n',
        TUNESMITH_LICENSE_SERVER="https://b.example.com",
        TUNESMITH_LICENSE_SERVER_CA="/ca.pem",
    )
    assert (server.url, str(server.authority)) == ("https://b.example.com", "/ca.pem")


def test_a_project_does_not_choose_whom_this_machine_talks_to(settings, tmp_path):
    (tmp_path / "tunesmith.toml").write_text('[plugins.enterprise]\nlicense_server = "https://evil.example.com"\n')
    assert settings() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://license.example.com", "over TLS only"),
        ("https://user:hunter2@license.example.com", "no address of a license server"),
        ("https://license.example.com/path", "without a path"),
        ("https://license.example.com:port", "no address of a license server"),
        ("ftp://license.example.com", "no address of a license server"),
        ("license.example.com", "no address of a license server"),
        ("https://exa mple.com", "no address of a license server"),
    ],
)
def test_an_address_that_is_none_or_not_safe_is_refused_without_its_password(settings, text, words):
    with pytest.raises(SettingsError) as caught:
        settings(TUNESMITH_LICENSE_SERVER=text)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_this_machine_may_be_asked_without_tls(settings):
    for address in ("http://127.0.0.1:8470", "http://localhost:8470", "http://[::1]:8470"):
        assert settings(TUNESMITH_LICENSE_SERVER=address).url == address


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("license_server_ca", "ca.pem", "absolute path"),
        ("license_server_cert", "/cert.pem", "needs its key"),
    ],
)
def test_half_of_a_setting_is_told(settings, key, value, words):
    with pytest.raises(SettingsError, match=words):
        settings(TUNESMITH_LICENSE_SERVER="https://a.example.com", **{VARIABLES[key]: value})


def test_a_secret_for_no_server_is_told(settings):
    with pytest.raises(SettingsError, match="no license server that this could be for"):
        settings(TUNESMITH_LICENSE_SERVER_SECRET_FILE="/secret")
    with pytest.raises(SettingsError, match="wrong type"):
        settings("[plugins.enterprise]\nlicense_server = 5\n")


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_a_lease_is_taken_renewed_and_given_back_by_hand(site, node):
    taken = take_by_hand(node.client, {"distributed": {"gpus": 2}}).to_json()
    assert [one.to_json()["id"] for one in by_hand(node.client)] == [taken["id"]]
    assert renew_by_hand(node.client, taken["id"]).to_json()["serial"] > taken["serial"]
    give_back(node.client, taken["id"])
    assert by_hand(node.client) == []
    assert site.in_use == 0
    with pytest.raises(NotFoundError, match="no such lease here"):
        give_back(node.client, taken["id"])


def test_a_borrowed_lease_that_was_returned_is_not_used_any_more(site, node):
    borrowed = borrow(node.client, DISTRIBUTED, 10).to_json()
    assert (borrowed["borrowed"], borrowed["expires_at"]) == (True, "2026-12-06T12:00:00Z")
    give_back(node.client, borrowed["id"])
    assert node.acquire().seat.lease.lease_id != borrowed["id"]


def test_an_ended_lease_is_listed_no_more(node):
    borrow(node.client, DISTRIBUTED, 10)
    node.now = NOW + 10 * DAY
    assert by_hand(node.client) == []


def test_without_the_server_a_lease_stays_where_it_is(site, node, away):
    borrowed = borrow(node.client, DISTRIBUTED, 10).to_json()
    node.site.service._storage.transaction = None
    with pytest.raises(LicenseError) as caught:
        give_back(node.client, borrowed["id"])
    assert caught.value.code == "no-server"
    del node.site.service._storage.transaction
    assert [one.to_json()["id"] for one in by_hand(node.client)] == [borrowed["id"]]


def test_a_lease_that_cannot_be_kept_is_given_back(site, node, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tunesmith_enterprise.entitlement.state.StateFolder.write", full)
    with pytest.raises(OutputError, match="No space left"):
        borrow(node.client, DISTRIBUTED, 10)
    assert site.in_use == 0


@pytest.fixture
def tunesmith(node, monkeypatch):
    """Runs ``tunesmith license lease …`` on the node."""
    monkeypatch.setattr(commands, "_client", lambda: node.client)

    def run(*arguments):
        return CliRunner().invoke(commands.app, list(arguments), catch_exceptions=False)

    return run


def test_the_commands_print_what_was_taken_and_no_text_of_it(site, tunesmith):
    taken = json.loads(tunesmith("acquire", "distributed:gpus=4", "governance", "--json").stdout)
    assert sorted(taken) == [
        "borrowed", "expires_at", "features", "granted_at", "id", "node", "open_until", "pool", "serial", "server",
    ]  # fmt: skip
    assert taken["features"] == {"distributed": {"gpus": 4}, "governance": {}}
    shown = json.loads(tunesmith("show", "--json").stdout)
    assert (shown["answers"], shown["node"], shown["pools"][0]["in_use"]) == (True, "node-a", 1)
    assert [one["id"] for one in shown["leases"]] == [taken["id"]]
    assert f"lease   {taken['id']} until" in tunesmith("renew", taken["id"]).stdout
    assert "pool    pool-1: 1 of 3 seats, good until" in tunesmith("show").stdout
    assert "is given back" in tunesmith("release", taken["id"]).stdout
    assert site.in_use == 0


def test_a_seat_is_borrowed_and_returned_by_command(site, tunesmith):
    borrowed = json.loads(tunesmith("borrow", "distributed", "--days", "3", "--json").stdout)
    assert "borrowed until 2026-11-29T12:00:00Z" in tunesmith("show").stdout
    assert json.loads(tunesmith("return", borrowed["id"], "--json").stdout)["id"] == borrowed["id"]
    assert site.in_use == 0


@pytest.mark.parametrize("wanted", ["distributed:gpus", "distributed:gpus=x", "distributed:gpus=0", ":gpus=1"])
def test_a_quantity_that_is_none_is_an_error_of_the_command(tunesmith, wanted):
    done = tunesmith("acquire", wanted)
    assert done.exit_code == 2
    assert "no quantity" in done.output or "names no feature" in done.output


def test_show_tells_that_the_server_does_not_answer(away, monkeypatch):
    monkeypatch.setattr(commands, "_client", lambda: away.client)
    done = CliRunner().invoke(commands.app, ["show"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "does not answer" in done.output
