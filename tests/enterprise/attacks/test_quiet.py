# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Rows 26, 30 and 31: deciding asks no network, starts no program, reads no working folder and tells no text."""

import io
import json
import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from desk import DAY, NOW

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import armor, armor_line
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.errors import LicenseError

# Python tells its audit hooks of every socket, process and file, whoever asks for it.
WATCHED = """
import json, sys
from pathlib import Path

events, opened = [], []
NETWORK = ("socket.", "urllib.", "http.client.", "ftplib.", "smtplib.", "imaplib.", "poplib.", "nntplib.", "telnetlib.")
PROCESS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "webbrowser.", "pty.")

def watch(event, arguments):
    if event.startswith(NETWORK + PROCESS):
        events.append(event)
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        opened.append([path, bool(flags & 3)])
    elif event in ("os.listdir", "os.scandir"):
        opened.append([str(arguments[0]), False])

sys.addaudithook(watch)
from datetime import datetime
from tunesmith_enterprise.entitlement.build import read_build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.errors import LicenseError

folder = Path(sys.argv[1])
places = Places(*(folder / name for name in ("user", "system", "secrets", "state")))
now = datetime.fromisoformat(sys.argv[2])
evidence = gather(environ={}, places=places, build=read_build(folder / "placed"), now=now)
try:
    said = decide("governance", {}, evidence).state
except LicenseError as error:
    said = error.code
print(json.dumps({"said": said, "events": events, "opened": opened, "modules": sorted(sys.modules)}))
"""


def watched(tmp_path, desk, *, licensed):
    """What happens while a process decides, in a working folder full of what looks like licenses."""
    desk.place(tmp_path / "machine" / "placed", revocations=desk.revocations())
    if licensed:
        (tmp_path / "machine" / "user").mkdir()
        (tmp_path / "machine" / "user" / "a.lic").write_text(armor(desk.license()))
    here = tmp_path / "project"
    for name in ("license.lic", "a.lic", "licenses.d/a.lic", ".tunesmith/license.lic", "tunesmith-license"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(armor(desk.license()))
    (here / "root.txt").write_text(armor(desk.root()))
    program = tmp_path / "watched.py"
    program.write_text(WATCHED)
    ran = subprocess.run(
        [sys.executable, program, tmp_path / "machine", NOW.isoformat()],
        cwd=here,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "HOME": str(tmp_path / "home")},
    )
    return json.loads(ran.stdout), here


@pytest.mark.parametrize(("licensed", "said"), [(True, "valid"), (False, "no-license")])
def test_row_31_no_socket_is_opened_and_no_program_started(licensed, said, tmp_path, desk):
    found, here = watched(tmp_path, desk, licensed=licensed)
    assert found["said"] == said
    assert found["events"] == []
    assert not {"urllib.request", "http.client", "ssl", "requests", "httpx"} & set(found["modules"])

    inside = [path for path, _ in found["opened"] if Path(path).absolute().is_relative_to(here)]
    assert inside == []  # row 26: the working folder is not even looked into
    state = tmp_path / "machine" / "state"
    written = [path for path, writes in found["opened"] if writes and not path.endswith((".pyc", "/dev/null"))]
    assert [path for path in written if not Path(path).is_relative_to(state) and "__pycache__" not in path] == []
    assert written  # or the test would see nothing


def pieces(text):
    """Of a text in base64, whatever 20 characters follow each other."""
    digits = "".join(line for line in text.splitlines() if "-----" not in line)
    return [digits[start : start + 20] for start in range(0, len(digits) - 20, 20)]


def bad_licenses(desk):
    good = desk.license()
    text = armor(good)
    stranger = type(desk)()
    return {
        "changed": text.replace("A", "B"),
        "cut": text[: len(text) // 2],
        "no padding": armor_line(good).rstrip("=") + "*",
        "another vendor's": armor(stranger.license()),
        "expired": armor(desk.license(expires_at=NOW - 100 * DAY, starts_at=NOW - 200 * DAY)),
        "without the feature": armor(desk.license(features={"priority": {}})),
        "bound elsewhere": armor(desk.license(license_id="far-away", environment="ci")),
        "another product's": armor(desk.license(product="another")),
        "twice": text + text,
        "quoted": "\n".join("> " + line for line in text.splitlines()),
    }


@pytest.mark.parametrize("place", ["variable", "file"])
@pytest.mark.parametrize("accident", [
    "changed", "cut", "no padding", "another vendor's", "expired", "without the feature", "bound elsewhere",
    "another product's", "twice", "quoted",
])  # fmt: skip
def test_row_30_no_text_of_a_license_is_told_to_anybody(accident, place, tmp_path, desk, caplog, capsys):
    text = bad_licenses(desk)[accident]
    environ = {}
    if place == "variable":
        environ["TUNESMITH_LICENSE"] = text
    else:
        (tmp_path / "user").mkdir()
        (tmp_path / "user" / "a.lic").write_text(text)
    told = io.StringIO()
    with caplog.at_level(logging.DEBUG):
        evidence = gather(
            environ=environ,
            places=Places(*(tmp_path / name for name in ("user", "system", "secrets", "state"))),
            build=desk.build(),
            now=NOW,
        )
        try:
            told.write(json.dumps(decide("distributed", {}, evidence).to_json()))
            assert accident == "twice"
        except LicenseError as error:
            told.write("".join(traceback.format_exception(error)) + repr(error) + str(error.__dict__))
            told.write(repr(pickle.loads(pickle.dumps(error)).__dict__))
    for one in evidence.refused:
        assert isinstance(one.error, SignedDocumentError)
        told.write("".join(traceback.format_exception(one.error)) + repr(one.error.__dict__) + repr(one.source))
    told.write("\n".join(evidence.notes) + caplog.text + "".join(capsys.readouterr()))
    for file in (tmp_path / "state").rglob("*"):
        told.write(file.read_text() if file.is_file() else "")
    everything = told.getvalue()
    assert len(everything) > 100
    assert not [piece for piece in pieces(text.replace("> ", "")) if piece in everything]
