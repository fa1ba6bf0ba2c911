# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every command and every program in the documentation is run, page by page, in the order a reader would.

In a page, blocks marked ``console`` are shell: lines that begin with ``$ `` are run (with their continuation
lines), the others are output and not compared. Blocks marked ``python`` are run as one program per block. Blocks with
``title=FILE`` are written to that file. All of it happens in one folder per page, which holds the repository's sample
files under the same names. Blocks with any other mark are left alone; ``text`` is for commands that take long or need a
network.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The MIT suite also runs in a tree without the commercial part; only there may this link lead nowhere.
ELSEWHERE = set() if (ROOT / "enterprise").exists() else {"LICENSE-ENTERPRISE"}
BLOCK = re.compile(r"^```(console|python|\w+ title=(?P<title>\S+))\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_PLUGINS = {page: f"tunesmith_{page}" for page in ("explain", "forecast", "privacy", "thucnews")} | {
    "licenses": "tunesmith_vendor",
    "scale": "tunesmith_enterprise",
}
"""Pages that need a plugin: skipped where the MIT suite runs against the wheel of `tunesmith` alone, and run by
`scripts/test` in .venv, by their mark."""
FRAGMENTS = {"hooks.md"}  # its blocks are parts of plugins; tests/core/plugin/test_hook_docs.py runs them in place
RUN = [
    page
    for page in PAGES
    if page.name not in FRAGMENTS and re.search(r"^```(console|python)$", page.read_text(), re.MULTILINE)
]


def commands(body):
    """Lines after ``$ ``, joined with their ``\\``-continued lines."""
    lines = iter(body.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines)
            yield command


def has_made_a_plugin(place, forge, environment):
    """What docs/tutorials/first-plugin.md promises: a sound plugin, and its own figure and table in the report."""
    environment = environment | {"PYTHONPATH": "site"}
    (shown,) = json.loads(forge.tunesmith("plugins", "show", "stars", "--json", cwd=place, env=environment).stdout)
    assert (shown["name"], shown["status"], shown["reason"]) == ("stars", "ok", "")
    examined = forge.tunesmith("plugins", "doctor", "stars", "--json", cwd=place, env=environment)
    assert (examined.returncode, json.loads(examined.stdout)["ok"]) == (0, True)
    report = (place / "runs/stars/report.html").read_text(encoding="utf-8")
    assert "How far off, by true rating" in report
    assert "within one" in report  # the figure that the page adds


PROMISES = {"first-plugin.md": has_made_a_plugin}
"""What must hold after all commands of a page, beside that none of them failed."""


@pytest.fixture
def place(tmp_path):
    """A folder like a fresh clone, as far as pages need one."""
    for part in ("core", "enterprise"):
        (tmp_path / part).symlink_to(ROOT / part)
    if (ROOT.parent / "shared").is_dir():
        (tmp_path.parent / "shared").exists() or (tmp_path.parent / "shared").symlink_to(ROOT.parent / "shared")
    yield tmp_path
    for left in tmp_path.glob("*.pid"):  # of a page that ended before it had ended what it started
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(left.read_text()), signal.SIGTERM)


def pages():
    for page in RUN:
        marks = [pytest.mark.page, *([pytest.mark.plugin_page] if page.stem in OF_PLUGINS else [])]
        yield pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", pages())
def test_what_the_page_says_works(page, place, forge):
    text = page.read_text(encoding="utf-8")
    if "../shared/" in text and not (ROOT.parent / "shared").is_dir():
        pytest.skip("the page uses data sets beside the repository, and ../shared is not there")
    if page.stem in OF_PLUGINS and find_spec(OF_PLUGINS[page.stem]) is None:
        pytest.skip(f"the page is about a plugin, and {OF_PLUGINS[page.stem]} is not installed")
    installed = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": f"{forge.folder}{os.pathsep}{installed}", "HF_HUB_OFFLINE": "1"}
    for match in BLOCK.finditer(text):
        if match["title"]:
            (place / match["title"]).parent.mkdir(parents=True, exist_ok=True)
            (place / match["title"]).write_text(match["body"], encoding="utf-8")
            continue
        python = match[1] == "python"
        for code in [match["body"]] if python else commands(match["body"]):
            if python:
                done = forge.python("-c", code, cwd=place, env=environment)
            else:
                shell = [shutil.which("bash") or "sh", "-ec", code]
                done = subprocess.run(shell, cwd=place, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{code}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    if page.name in PROMISES:
        PROMISES[page.name](place, forge, environment)


def test_links_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if target not in ELSEWHERE and not (page.parent / target).exists()
    ]
    assert not broken


def headings(page):
    """What a link may name behind ``#``: the headings of a page, as web pages of repositories write them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", line.strip().lower()).replace(" ", "-") for line in plain}


def test_links_to_a_heading_find_it():
    broken = [
        f"{page.relative_to(ROOT)}: {target}#{heading}"
        for page in PAGES
        for target, heading in re.findall(
            r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)", page.read_text(encoding="utf-8")
        )
        if (aim := page.parent / target if target else page).suffix == ".md" and heading not in headings(aim)
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_readme():
    """Decisions are reached by their folder."""
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        ahead += [(page.parent / target).resolve() for target in targets]
    pages = [page for page in PAGES if page.parent.name != "adr"]
    pages += (ROOT / "plugins").glob("*/README.md")
    assert not [str(page.relative_to(ROOT)) for page in pages if page not in reached]
