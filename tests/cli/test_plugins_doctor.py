# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins list|show|doctor` in processes of their own, with plugins that do their worst."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_plugins import install

READER = """
@hookimpl
def tunesmith_readers():
    return [ReaderSpec(name="ini", summary="Settings", target="good_plugin:read", suffixes=(".ini",))]

@hookimpl
def tunesmith_run_note(event):
    pass

@hookimpl
def tunesmith_authorize(action):
    return None

def read(path, options):
    return iter(())
"""


LOOP = "import os; getattr(os, 'nice', int)(19)\nwhile True: pass"
"""It takes what the other tests leave of the processor: its ten seconds are not theirs."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    install(folder, "good", requires=("tunesmith>=0.1",), plugin=READER)
    install(folder, "loop", plugin=LOOP)
    return folder


def plugins(site: Path, *args: str, limit: str = "good,loop", **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(site), "TUNESMITH_PLUGINS": limit, **environ}
    environ["XDG_CONFIG_HOME"] = str(site / "config")
    command = [sys.executable, "-m", "tunesmith_cli", "plugins", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, env=environ)


def test_list_comes_back_although_a_plugin_loops(site: Path) -> None:
    began = time.monotonic()
    done = plugins(site, "list")

    assert time.monotonic() - began < 60
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "plugin distribution version status provides" in lines
    assert "good tunesmith-good 1.0 ok 1 reader, observes, gate" in lines
    assert "loop tunesmith-loop 1.0 broken" in lines
    assert "loop: importing loop_plugin: it was not done after 10 s" in lines
    assert "`tunesmith plugins doctor NAME` says what to do" in done.stderr


def test_list_says_which_import_is_slow(site: Path) -> None:
    install(site, "slow", plugin="import time\ntime.sleep(0.3)")

    assert "\nslow: every command waits 0.3 s for it\n" in plugins(site, "list", limit="slow").stdout


def test_show_tells_everything_of_one_plugin(site: Path) -> None:
    done = plugins(site, "show", "good", TUNESMITH_REQUIRED_PLUGINS="good>=1")

    assert done.returncode == 0
    fields = dict(line.split(maxsplit=1) for line in done.stdout.split("\n\n")[0].splitlines() if " " in line)
    assert (fields["plugin"], fields["status"], fields["distribution"]) == ("good", "ok", "tunesmith-good 1.0")
    assert (fields["license"], fields["needs"]) == ("MIT", "tunesmith>=0.1")
    assert fields["home"] == "page     https://example.org/good"
    assert fields["observes"] == "tunesmith_run_note"
    assert fields["gate"] == "yes: it is asked before things happen"
    assert fields["required"] == "by   TUNESMITH_REQUIRED_PLUGINS (good>=1)"
    assert "reader  good/ini   Settings  good_plugin:read" in done.stdout


def test_show_as_json_has_a_stable_shape(site: Path) -> None:
    (one,) = json.loads(plugins(site, "show", "tunesmith-good", "--json").stdout)

    assert set(one) == {
        *("name", "status", "reason", "fix", "distribution", "version", "summary", "home_page", "license", "needs"),
        *("entry_point", "provides", "observes", "gate", "required_by", "seconds", "traceback"),
    }
    (provided,) = one["provides"]
    assert (provided["kind"], provided["full_name"], provided["suffixes"]) == ("reader", "good/ini", [".ini"])


def test_show_of_a_broken_plugin_says_what_to_do(site: Path) -> None:
    install(site, "bad", plugin="raise RuntimeError('half installed')")
    done = plugins(site, "show", "bad", limit="bad")

    assert done.returncode == 0
    for words in (
        "importing bad_plugin failed: RuntimeError: half installed",
        "tunesmith plugins remove bad",
        "Traceback",
    ):
        assert words in done.stdout


def test_a_name_that_nothing_has_is_guessed(site: Path) -> None:
    for command in (("show", "godo"), ("doctor", "godo"), ("remove", "godo")):
        done = plugins(site, *command)

        assert done.returncode == 2
        assert "no plugin of this name is installed" in done.stderr
        assert "did you mean 'good'?" in done.stderr


def test_doctor_says_what_is_wrong_and_what_to_type(site: Path) -> None:
    done = plugins(site, "doctor", "loop", "--timeout", "1")

    assert done.returncode == 2
    assert "loop: importing loop_plugin: it was not done after 1 s" in done.stdout
    assert "or remove it: `tunesmith plugins remove loop`" in done.stdout
    assert 'loop_plugin.py", line 4' in done.stdout
    assert done.stdout.endswith("not usable as it is: loop\n")
    assert "examined loop" in done.stderr


def test_doctor_as_json(site: Path) -> None:
    good = plugins(site, "doctor", "good", "--json", "--quiet")
    loop = plugins(site, "doctor", "loop", "--json", "--timeout", "1")

    assert (good.returncode, good.stderr) == (0, "")
    report = json.loads(good.stdout)
    assert (report["ok"], report["settings"]) == (True, [])
    (one,) = report["plugins"]
    assert set(one) == {"name", "distribution", "version", "status", "ok", "seconds", "targets", "findings"}
    (target,) = one["targets"]
    assert set(target) == {"kind", "name", "target", "ok", "seconds"}
    assert loop.returncode == 2
    (finding,) = json.loads(loop.stdout)["plugins"][0]["findings"]
    assert set(finding) == {"code", "broken", "problem", "fix", "traceback"}
    assert (finding["code"], finding["broken"]) == ("time-limit", True)


def test_doctor_of_everything_names_required_plugins_that_are_not_there(site: Path) -> None:
    done = plugins(site, "doctor", "--timeout", "60", limit="", TUNESMITH_REQUIRED_PLUGINS="audit>=1")

    assert done.returncode == 2
    assert (
        "settings: TUNESMITH_REQUIRED_PLUGINS requires audit>=1, and the plugin 'audit' is not installed" in done.stdout
    )
    assert done.stdout.endswith("not usable as it is: settings\n")


def test_ctrl_c_ends_the_children_too(site: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("sends a signal")
    import signal

    note = site / "pid"
    install(site, "told", plugin=f"import os\nopen({str(note)!r}, 'w').write(str(os.getpid()))\nwhile True: pass")
    environ = {**os.environ, "PYTHONPATH": str(site), "TUNESMITH_PLUGINS": "told"}
    command = [sys.executable, "-m", "tunesmith_cli", "plugins", "doctor", "told"]

    def heed() -> None:  # whoever started the tests in the background may have them, and their children, ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed
    ) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (note.exists() and note.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    with pytest.raises(ProcessLookupError):  # it was waited for, so its number is free
        os.kill(int(note.read_text()), 0)
