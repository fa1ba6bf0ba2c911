# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where licenses are looked for, and what happens to files on their way there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from desk import NOW

from tunesmith.licensing import armor, armor_line
from tunesmith_enterprise.entitlement import sources
from tunesmith_enterprise.entitlement.places import Places


def names(evidence):
    return [(held.license.license_id, held.source.place) for held in evidence.held]


def refusals(evidence):
    return [(one.source.place, one.error.reason) for one in evidence.refused]


def test_every_place_counts_in_this_order(bench, tmp_path):
    def made(name):
        return bench.desk.license(license_id=name)

    bench.environ["TUNESMITH_LICENSE"] = armor_line(made("in-variable"))
    one = bench.put("elsewhere", made("in-file-of-variable"), name="one.lic")
    bench.put("many", made("in-folder-of-variable"), name="x.LIC")
    bench.environ["TUNESMITH_LICENSE_FILE"] = os.pathsep.join(["", str(one), str(tmp_path / "many"), ""])
    bench.put("set", made("in-settings"), name="b.txt")
    bench.settings(f'[plugins.enterprise]\nlicense_files = ["{(tmp_path / "set/b.txt").as_posix()}"]\n')
    bench.put("user", made("of-user"))
    bench.put("system", made("of-system"))
    bench.put("secrets", made("secret"), name="tunesmith-license")
    bench.put("secrets/tunesmith-licenses", made("in-folder-of-secrets"))
    evidence = bench.gather(armor(made("argument")))
    assert names(evidence) == [
        ("argument", "argument"),
        ("in-variable", "environment"),
        ("in-file-of-variable", "environment"),
        ("in-folder-of-variable", "environment"),
        ("in-settings", "settings"),
        ("of-user", "user"),
        ("of-system", "system"),
        ("secret", "secrets"),
        ("in-folder-of-secrets", "secrets"),
    ]
    assert (evidence.refused, evidence.notes) == ((), ())
    assert evidence.held[2].source.name == str(one)
    assert evidence.held[2].source.path == one


def test_of_two_equal_documents_the_first_place_is_named(bench):
    envelope = bench.desk.license()
    bench.environ["TUNESMITH_LICENSE"] = armor(envelope)
    bench.put("user", envelope)
    bench.put("system", envelope)
    evidence = bench.gather()
    assert names(evidence) == [("lic-1", "environment")]
    assert evidence.notes == ()


def test_row_26_the_working_folder_is_no_place(bench, tmp_path, monkeypatch):
    project = tmp_path / "project"
    for name in ("license.lic", "tunesmith.lic", "licenses.d/a.lic", ".tunesmith/a.lic", "user.lic"):
        bench.put("project", bench.desk.license(), name=name) if "/" not in name else bench.put(
            f"project/{name.split('/')[0]}", bench.desk.license()
        )
    file = tmp_path / "project/license.lic"
    bench.write("project/tunesmith.toml", f'[plugins.enterprise]\nlicense_files = ["{file.as_posix()}"]\n')
    monkeypatch.chdir(project)
    bench.environ["TUNESMITH_LICENSE_FILE"] = os.pathsep.join(["license.lic", "./licenses.d", "."])
    bench.settings('[plugins.enterprise]\nlicense_files = ["user.lic"]\n')
    evidence = bench.gather()
    assert evidence.held == ()
    assert refusals(evidence) == [("environment", "path")] * 3 + [("settings", "path")]
    said = str(evidence.refused[0].error)
    assert "depends on the working folder" in said
    assert "given:    'license.lic'" in said
    assert "write the whole path" in said
    assert "license_files of the settings" in str(evidence.refused[3].error)


def test_a_path_of_the_program_may_be_relative(bench):
    bench.put("here", bench.desk.license(), name="mine.lic")
    assert names(bench.gather(Path("here/mine.lic"))) == [("lic-1", "argument")]
    assert names(bench.gather(Path("here"))) == [("lic-1", "argument")]


def test_the_home_is_written_with_a_tilde(bench):
    bench.put("home", bench.desk.license(), name="mine.lic")
    bench.settings('[plugins.enterprise]\nlicense_files = ["~/mine.lic"]\n')
    assert names(bench.gather()) == [("lic-1", "settings")]


@pytest.mark.parametrize("given", [bytes, str])
def test_bytes_and_texts_of_the_program_are_what_is_in_a_file(bench, given):
    text = armor(bench.desk.license())
    assert names(bench.gather(text if given is str else text.encode())) == [("lic-1", "argument")]
    (refused,) = bench.gather("/etc/tunesmith/licenses.d/a.lic").refused
    assert refused.error.reason == "path"
    assert "the argument holds the name of a file" in str(refused.error)
    assert "pathlib.Path" in str(refused.error)


def test_row_26_a_path_in_the_variable_for_the_content(bench):
    path = bench.put("elsewhere", bench.desk.license())
    bench.environ["TUNESMITH_LICENSE"] = str(path)
    (refused,) = bench.gather().refused
    assert refused.error.reason == "path"
    assert "TUNESMITH_LICENSE holds the name of a file" in str(refused.error)
    assert "put the name into TUNESMITH_LICENSE_FILE" in str(refused.error)


@pytest.mark.parametrize("form", [armor, armor_line, lambda envelope: f'"{armor(envelope)}"'])
def test_row_26_content_in_the_variable_for_the_path(bench, form):
    bench.environ["TUNESMITH_LICENSE_FILE"] = form(bench.desk.license())
    (refused,) = bench.gather().refused
    assert refused.error.reason == "path"
    assert "holds a document where the name of a file has to be" in str(refused.error)
    assert "put it into TUNESMITH_LICENSE instead" in str(refused.error)
    assert "eyJ" not in str(refused.error)


def test_an_address_in_the_variable_for_the_path_is_told_and_not_shown(bench):
    bench.environ["TUNESMITH_LICENSE_FILE"] = "https://example.com/licenses/a.lic?token=secret"
    (refused,) = bench.gather().refused
    assert refused.error.reason == "address"
    assert "nothing is fetched" in str(refused.error)
    assert "secret" not in str(refused.error)


def test_an_empty_variable_is_a_note_and_no_bad_license(bench):
    bench.environ["TUNESMITH_LICENSE"] = " \n"
    bench.environ["TUNESMITH_LICENSE_FILE"] = ""
    evidence = bench.gather()
    assert evidence.refused == ()
    assert evidence.notes[0].startswith("the variable TUNESMITH_LICENSE is set and empty")


def test_both_variables_count_together(bench):
    bench.environ["TUNESMITH_LICENSE"] = armor(bench.desk.license(license_id="a"))
    path = bench.put("elsewhere", bench.desk.license(license_id="b"))
    bench.environ["TUNESMITH_LICENSE_FILE"] = f'"{path}"'
    assert names(bench.gather()) == [("a", "environment"), ("b", "environment")]


def test_a_bad_file_takes_nothing_from_a_good_one(bench):
    good = bench.desk.license(license_id="good")
    bench.put("user", good, name="m.lic")
    bench.write("user/a.lic", "")
    bench.write("user/b.lic", "https://example.com/license")
    bench.write("user/c.lic", armor(good)[:-60])
    bench.write("user/d.lic", b"\xff\xfe\x00")
    bench.write("user/e.lic", armor(good).replace("A", "B", 5))
    bench.write("user/z.lic", b"PK\x03\x04...")
    evidence = bench.gather()
    assert names(evidence) == [("good", "user")]
    assert [one.source.path.name for one in evidence.refused[:4]] == ["a.lic", "b.lic", "c.lic", "d.lic"]
    assert [one.error.reason for one in evidence.refused][:4] == ["empty", "address", "truncated", "byte-order-mark"]
    assert {one.source.path.name for one in evidence.refused[4:]} == {"e.lic", "z.lic"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes here")
def test_rows_12_and_26_pipes_links_and_folders_in_the_place_of_files(bench, tmp_path):
    bench.put("user", bench.desk.license(), name="good.lic")
    user = tmp_path / "user"
    os.mkfifo(user / "a-pipe.lic")
    (user / "b-folder.lic").mkdir()
    (user / "c-dangling.lic").symlink_to(tmp_path / "nowhere")
    (user / "d-loop.lic").symlink_to(user / "d-loop.lic")
    (user / "e-device.lic").symlink_to("/dev/zero")
    with (user / "f-huge.lic").open("wb") as file:
        file.truncate(10 * 2**30)
    bench.environ["TUNESMITH_LICENSE_FILE"] = str(tmp_path / "gone.lic")
    evidence = bench.gather()
    assert names(evidence) == [("lic-1", "user")]
    assert [(one.source.path.name, one.error.reason) for one in evidence.refused] == [
        ("gone.lic", "no-file"),
        ("a-pipe.lic", "not-a-file"),
        ("b-folder.lic", "not-a-file"),
        ("c-dangling.lic", "no-file"),
        ("d-loop.lic", "unreadable"),
        ("e-device.lic", "not-a-file"),
        ("f-huge.lic", "too-large"),
    ]
    assert "this link leads to no file" in str(evidence.refused[3].error)


def test_links_of_secret_stores_are_followed(bench, tmp_path):
    bench.put("user/..2026_11_26", bench.desk.license(), name="license.lic")
    (tmp_path / "user/..data").symlink_to("..2026_11_26")
    (tmp_path / "user/license.lic").symlink_to("..data/license.lic")
    evidence = bench.gather()
    assert names(evidence) == [("lic-1", "user")]
    assert evidence.notes == ()


def test_a_loop_of_links_for_a_folder_is_a_note(bench, tmp_path):
    (tmp_path / "system").symlink_to(tmp_path / "system")
    bench.write("user", "a file where a folder has to be")
    evidence = bench.gather()
    assert evidence.refused == ()
    assert [note.split(" cannot")[0].rsplit("/", 1)[1] for note in evidence.notes[:2]] == ["user", "system"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_row_26_what_may_not_be_read_is_told(bench, tmp_path):
    bench.put("user", bench.desk.license()).chmod(0)
    bench.put("system", bench.desk.license())
    (tmp_path / "system").chmod(0)
    try:
        evidence = bench.gather()
    finally:
        (tmp_path / "system").chmod(0o755)
    assert refusals(evidence) == [("user", "unreadable")]
    assert "cannot be looked into: permission denied" in evidence.notes[0]


def test_a_folder_that_may_not_be_read_is_a_note(bench, monkeypatch):
    bench.put("user", bench.desk.license())
    scandir = os.scandir

    def refuse(path):
        if Path(path) == bench.places.system:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    evidence = bench.gather()
    assert names(evidence) == [("lic-1", "user")]
    assert evidence.notes == (f"the folder {bench.places.system} cannot be looked into: permission denied",)


def test_row_26_a_huge_folder_is_read_in_part_and_told(bench, monkeypatch):
    monkeypatch.setattr(sources, "MOST", 3)
    monkeypatch.setattr(sources, "_LOOKED", 10)
    for number in range(8):
        bench.put("user", bench.desk.license(license_id=f"lic-{number}"), name=f"{number}.lic")
    evidence = bench.gather()
    assert names(evidence) == [("lic-0", "user"), ("lic-1", "user"), ("lic-2", "user")]
    assert "has 8 license files; the first 3 of them are read" in evidence.notes[0]
    for number in range(8):
        bench.write(f"system/{number}{number}.lic", "")
        bench.write(f"system/{number}.lic", "")
    assert any("has more than 10 entries" in note for note in bench.gather().notes)


def test_files_with_other_names_are_told(bench):
    bench.put("user", bench.desk.license(), name="license.txt")
    bench.put("user", bench.desk.license(), name="b\x1b[31m.bak")
    bench.write("user/.hidden", "")
    bench.write("secrets/somebody-elses", "a secret")
    evidence = bench.gather()
    assert evidence.held == ()
    (note,) = evidence.notes
    assert "only files named *.lic are read; left aside: 'b\\x1b[31m.bak', 'license.txt'" in note
    assert "somebody-elses" not in repr(evidence)


def test_names_that_a_terminal_would_obey_are_written_out(bench):
    bench.put("user", bench.desk.license(), name="a\x1b[2J.lic")
    assert "\x1b" not in bench.gather().held[0].source.name


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions there")
def test_row_26_what_everybody_may_change_is_a_note(bench, tmp_path):
    path = bench.put("user", bench.desk.license())
    path.chmod(0o666)
    (tmp_path / "user").chmod(0o777)
    evidence = bench.gather()
    assert names(evidence) == [("lic-1", "user")]
    assert evidence.notes == (
        f"everybody on this machine may put files into {tmp_path / 'user'}: chmod o-w it",
        f"everybody on this machine may change {path}: chmod o-w it",
    )


def test_row_26_a_file_that_is_swapped_while_it_is_read_is_read_from_one_opening(bench, monkeypatch):
    path = bench.put("user", bench.desk.license(license_id="first"))
    fstat = os.fstat

    def swap(number):
        other = bench.put("aside", bench.desk.license(license_id="second"))
        os.replace(other, path)
        return fstat(number)

    monkeypatch.setattr(os, "fstat", swap)
    found = sources.find_texts(environ={}, places=bench.places)
    monkeypatch.undo()
    assert (
        names(bench.gather(found.texts[0].content, places=Places(None, Path("/-"), Path("/-"), None)))[0][0] == "first"
    )


def test_row_30_no_text_of_a_license_is_in_the_evidence_of_a_bad_one(bench):
    text = armor(bench.desk.license())
    bench.write("user/a.lic", text.replace("A", "B"))
    bench.write("user/b.lic", text + text[:200])
    bench.environ["TUNESMITH_LICENSE"] = text.replace("-----END", "---END")
    bench.environ["TUNESMITH_LICENSE_FILE"] = text.splitlines()[3]
    evidence = bench.gather()
    assert evidence.held == ()
    said = "\n".join([*(str(one.error) for one in evidence.refused), *evidence.notes, repr(evidence.refused)])
    pieces = [line[:12] for line in text.splitlines() if not line.startswith("---")]
    assert [piece for piece in pieces if piece in said] == []


def test_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = Places.of({})
    assert usual.user == tmp_path / ".config/tunesmith/licenses.d"
    assert usual.system == Path("/etc/tunesmith/licenses.d")
    assert usual.secrets == Path("/run/secrets")
    assert usual.state == tmp_path / ".local/state/tunesmith/enterprise"
    named = Places.of({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"})
    assert (named.user, named.state) == (Path("/c/tunesmith/licenses.d"), Path("/s/tunesmith/enterprise"))
    assert Places.of({"XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "."}) == usual


def test_an_account_without_a_home_has_the_places_of_the_machine(bench, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    places = Places.of({})
    assert (places.user, places.state) == (None, None)
    assert Places.of({"XDG_STATE_HOME": "/s"}).state == Path("/s/tunesmith/enterprise")
    assert Places.of({"XDG_CONFIG_HOME": "/c"}).user == Path("/c/tunesmith/licenses.d")
    bench.put("system", bench.desk.license())
    given = Places(None, bench.places.system, bench.places.secrets, None)
    evidence = bench.gather(places=given, environ={})
    assert names(evidence) == [("lic-1", "system")]
    assert evidence.facts.now == NOW
    assert any("no home to keep anything in" in note for note in evidence.notes)
