# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every way in which a plugin can be unwell, as the doctor tells it; each plugin is on the disk, as it is installed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_plugins import install

from tunesmith._plugins.doctor import CODES, Checkup, Finding, check_required, check_up
from tunesmith._plugins.examine import Examination, examine
from tunesmith._plugins.installing import Installation, Surroundings
from tunesmith._plugins.records import PluginRecord
from tunesmith._plugins.remedies import Remedies

Site = Callable[..., Path]
TASK = "@hookimpl\ndef tunesmith_tasks():\n    yield TaskSpec(name='stance', summary='A task', target='{}')\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def remedies() -> Remedies:
    around = Surroundings(prefix=Path("/env"), executable="/env/bin/python", virtual=True, pip=True)
    return Remedies(Installation(way="pip", words="a virtual environment, with pip", around=around))


@pytest.fixture
def look_at(site: Path, remedies: Remedies) -> Callable[..., Checkup]:
    def look(name: str, plugin: str = "", *, timeout: float = 30, **more: object) -> Checkup:
        install(site, name, plugin=plugin, **more)  # type: ignore[arg-type]
        (checkup,) = check_up([name], timeout=timeout, remedies=remedies, commands=["train"])
        return checkup

    return look


def only(checkup: Checkup) -> Finding:
    (finding,) = checkup.findings
    return finding


def test_a_plugin_that_is_well_has_no_findings(look_at: Callable[..., Checkup]) -> None:
    checkup = look_at(
        "fine",
        "@hookimpl\ndef tunesmith_readers():\n"
        "    return [ReaderSpec(name='ini', summary='x', target='fine_reader:read')]\n",
        fine_reader="def read(path, options):\n    return iter(())\n",
    )

    assert (checkup.ok, checkup.findings, checkup.seen.record.status) == (True, (), "ok")
    (target,) = checkup.seen.targets
    assert (target.ok, target.spec["name"]) == (True, "ini")
    assert checkup.seen.record.provides == {"reader": ("ini",)}


def test_an_import_that_raises_is_shown_with_its_traceback_and_what_to_type(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("bad", "raise RuntimeError('half installed')"))

    assert (finding.code, finding.broken) == ("import", True)
    assert finding.problem == "importing bad_plugin failed: RuntimeError: half installed"
    assert "bad_plugin.py" in finding.traceback
    assert finding.fix == (
        "update it: `/env/bin/python -m pip install --upgrade -- tunesmith-bad tunesmith==0.1.0`",
        "or remove it: `tunesmith plugins remove bad`",
    )


def test_an_exit_is_told_from_an_error(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("leaves", "raise SystemExit(3)"))

    assert (finding.code, finding.problem) == ("exit", "importing leaves_plugin failed: SystemExit: 3")


def test_what_the_host_lets_pass_is_said_to_end_the_program(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("stops", "raise KeyboardInterrupt"))

    assert finding.code == "import"
    assert finding.problem == "importing or asking it ended the program: KeyboardInterrupt"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("import os\nos._exit(7)", "ended with exit code 7"),
        ("import ctypes\nctypes.string_at(0)", "was ended by the signal SIGSEGV"),
        ("import os\nprint('last words', flush=True)\nos.abort()", "was ended by the signal SIGABRT"),
    ],
    ids=["exits", "segfault", "abort"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="ends by signals")
def test_a_plugin_that_takes_the_interpreter_down(look_at: Callable[..., Checkup], text: str, how: str) -> None:
    finding = only(look_at("crash", text))

    assert finding.code == "crash"
    assert finding.problem == f"importing crash_plugin: the process {how}"
    assert "tunesmith --no-plugins" in finding.fix[-1]
    if "SIGSEGV" in how:
        assert "crash_plugin.py" in finding.traceback  # where it was
    if "SIGABRT" in how:
        assert "last words" in finding.traceback


@pytest.mark.parametrize("text", ["while True:\n    pass", "import time\ntime.sleep(60)"], ids=["loops", "sleeps"])
def test_a_plugin_that_loops_is_given_up_and_the_place_is_named(look_at: Callable[..., Checkup], text: str) -> None:
    began = time.monotonic()

    finding = only(look_at("loop", text, timeout=1))

    assert time.monotonic() - began < 10
    assert finding.code == "time-limit"
    assert finding.problem == "importing loop_plugin: it was not done after 1 s"
    assert re.search(r'loop_plugin.py", line \d', finding.traceback)


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no groups there")
def test_what_a_plugin_has_started_ends_with_it(look_at: Callable[..., Checkup], tmp_path: Path) -> None:
    note = tmp_path / "pid"
    text = "import subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\n"
    text += f"open({str(note)!r}, 'w').write(str(child.pid))\n"

    look_at("parent", f"{text}time.sleep(60)", timeout=2)

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(int(note.read_text())):
        time.sleep(0.05)
    assert not _runs(int(note.read_text()))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").is_dir()
    return state != "Z"  # ended, and whoever inherits it has not asked how


def test_threads_that_keep_a_program_from_ending_do_not_keep_the_doctor(look_at: Callable[..., Checkup]) -> None:
    began = time.monotonic()
    text = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='polling').start()"

    finding = only(look_at("threads", text))

    assert time.monotonic() - began < 30
    assert (finding.code, finding.broken) == ("threads", False)
    assert "keep a program from ending: polling" in finding.problem


def test_what_it_prints_while_imported_is_caught(
    look_at: Callable[..., Checkup], capfd: pytest.CaptureFixture[str]
) -> None:
    finding = only(
        look_at("loud", "import os, sys\nprint('hello')\nprint('there', file=sys.stderr)\nos.write(1, b'raw')")
    )

    assert (finding.code, finding.broken) == ("noise", False)
    assert set(finding.traceback.split()) == {"hello", "there", "raw"}
    assert capfd.readouterr() == ("", "")


def test_a_slow_import_and_a_heavy_one_are_hints(look_at: Callable[..., Checkup]) -> None:
    checkup = look_at("slow", "import time, numpy\ntime.sleep(0.2)")

    found = {finding.code: finding for finding in checkup.findings}
    assert checkup.ok
    assert set(found) == {"slow-import", "heavy-import"}
    assert re.match(r"importing and asking it took \d\.\d\d s", found["slow-import"].problem)
    assert "its module alone imports numpy" in found["heavy-import"].problem
    assert "https://example.org/slow" in found["heavy-import"].fix[0]


def test_a_missing_module_that_is_declared_is_named_as_the_package_to_install(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("needs", "import no_such_thing.deep", requires=("no-such-thing>=2,<3",)))

    assert finding.code == "missing-module"
    assert "pip install -- 'no-such-thing<3,>=2' tunesmith==" in finding.fix[0]


def test_a_missing_module_of_an_extra_is_installed_by_the_extra(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("needs", "import no_such_thing", requires=("no-such-thing ; extra == 'fast'",)))

    assert "pip install -- 'tunesmith-needs[fast]' tunesmith==" in finding.fix[0]


def test_no_package_is_guessed_from_the_name_of_a_module(look_at: Callable[..., Checkup]) -> None:
    finding = only(look_at("needs", "import no_such_thing"))

    assert finding.fix[0] == (
        "tunesmith-needs does not say which package has 'no_such_thing': ask its authors, https://example.org/needs"
    )
    assert "pip install" not in " ".join(finding.fix)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("@hookimpl\ndef tunesmith_taskz():\n    return []", "hook", "did you mean 'tunesmith_tasks'?"),
        ("def tunesmith_tasks():\n    return []", "hook", "is not marked; put @hookimpl"),
        ("@hookimpl\ndef tunesmith_run_started(run):\n    pass", "hook", "tunesmith_run_started"),
        ("@hookimpl\ndef tunesmith_tasks():\n    return 3", "answer", "returned 3, expected an iterable of TaskSpec"),
        (TASK.format("a:b") + "    raise OSError('no disk')", "answer", "tunesmith_tasks failed: OSError: no disk"),
    ],
    ids=["misspelt", "unmarked", "arguments", "wrong type", "half"],
)
def test_hooks_and_their_answers_are_told_apart(
    look_at: Callable[..., Checkup], text: str, code: str, words: str
) -> None:
    finding = only(look_at("odd", text))

    assert (finding.code, finding.broken) == (code, True)
    assert words in finding.problem


def test_a_plugin_for_another_tunesmith_is_not_imported_and_the_line_that_mends_it_is_given(
    look_at: Callable[..., Checkup], tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    finding = only(look_at("later", f"open({str(touched)!r}, 'w')", requires=("tunesmith>=9",)))

    assert finding.code == "incompatible"
    assert finding.problem.startswith("needs tunesmith>=9; this is tunesmith ")
    assert finding.fix[0] == ("get tunesmith>=9: `/env/bin/python -m pip install -- 'tunesmith>=9' tunesmith-later`")
    assert finding.fix[1].startswith("or update it: ")
    assert not touched.exists()


def test_two_distributions_with_one_name_are_both_named(site: Path, remedies: Remedies) -> None:
    install(site, "one", entry="demo")
    install(site, "two", entry="demo")

    checkups = check_up(["demo"], remedies=remedies)

    assert [only(one).code for one in checkups] == ["conflict", "conflict"]
    assert "by tunesmith-one 1.0 and tunesmith-two 1.0" in only(checkups[0]).problem
    assert only(checkups[0]).fix == (
        "keep one, and remove the other: "
        "`tunesmith plugins remove tunesmith-one` or `tunesmith plugins remove tunesmith-two`",
    )


def test_a_plugin_that_takes_the_name_of_the_built_ins(look_at: Callable[..., Checkup], site: Path) -> None:
    install(site, "thief", entry="tunesmith")

    thief = [one for one in examine(["tunesmith"]) if one.record.distribution == "tunesmith-thief"]

    assert [one.record.status for one in thief] == ["conflict"]


def test_a_name_that_a_built_in_has_is_a_hint(look_at: Callable[..., Checkup], site: Path, remedies: Remedies) -> None:
    text = (
        "@hookimpl\ndef tunesmith_commands():\n    yield CommandSpec(name='train', summary='x', target='mine_cli:app')"
    )
    checkup = look_at("mine", text, mine_cli="import typer\napp = typer.Typer()\n")

    assert only(checkup).problem == "the command train is also of tunesmith"
    assert only(checkup).fix == ("write the full name: mine/train",)


def test_targets_are_imported_one_by_one(look_at: Callable[..., Checkup]) -> None:
    targets = ["gone_for_ever:x", "odd_parts:missing", "odd_parts:read", "odd_exit:x", "odd_parts:number", "odd_loop:x"]
    specs = ", ".join(
        f"ReaderSpec(name='r{number}', summary='x', target={target!r})" for number, target in enumerate(targets)
    )
    checkup = look_at(
        "odd",
        f"@hookimpl\ndef tunesmith_readers():\n    return [{specs}]",
        odd_parts="number = 3\ndef read(path, options): ...\n",
        odd_exit="import os\nos._exit(7)",
        odd_loop="while True: pass",
        timeout=4,
    )

    reasons = [target.reason for target in checkup.seen.targets]
    assert reasons == [
        "ModuleNotFoundError: No module named 'gone_for_ever'",
        "AttributeError: module 'odd_parts' has no attribute 'missing'",
        "",
        "the process ended with exit code 7",
        "it is 3, a int; expected a function",
        "it was not done after 4 s",
    ]
    codes = ["target", "target", "target", "target-sort", "target"]
    assert [finding.code for finding in checkup.findings] == codes
    assert checkup.findings[0].problem.startswith("reader r0 (gone_for_ever:x): ModuleNotFoundError")
    assert 'odd_loop.py", line 1' in checkup.findings[-1].traceback
    assert not checkup.ok


def test_a_plugin_whose_targets_all_hang_does_not_take_for_ever(look_at: Callable[..., Checkup]) -> None:
    specs = ", ".join(f"ReaderSpec(name='r{n}', summary='x', target='hang_{n}:x')" for n in range(5))
    modules = {f"hang_{n}": "while True: pass" for n in range(5)}

    checkup = look_at("hang", f"@hookimpl\ndef tunesmith_readers():\n    return [{specs}]", timeout=1, **modules)

    reasons = [target.reason for target in checkup.seen.targets]
    assert reasons[:2] == ["it was not done after 1 s"] * 2
    assert reasons[2:] == ["not tried: 2 others of this plugin took longer than 1 s"] * 3


def test_answers_that_change_are_found(look_at: Callable[..., Checkup]) -> None:
    text = "asked = []\n@hookimpl\ndef tunesmith_readers():\n    asked.append(1)\n"
    text += "    return [ReaderSpec(name=f'r{len(asked)}', summary='x', target='shift_plugin:tunesmith_readers')]"
    finding = only(look_at("shift", text))

    assert (finding.code, finding.broken) == ("changing-answers", True)
    assert "the reader specs were r1 at first, and r2 when it was asked again" in finding.problem


def test_a_spec_that_is_changed_although_it_is_frozen_is_found(look_at: Callable[..., Checkup]) -> None:
    text = "held = [ReaderSpec(name='ini', summary='x', target='sly_plugin:tunesmith_readers')]\nasked = []\n"
    text += (
        "@hookimpl\ndef tunesmith_readers():\n    if asked:\n        object.__setattr__(held[0], 'summary', 'other')\n"
    )
    text += "    asked.append(1)\n    return held"
    finding = only(look_at("sly", text))

    assert finding.code == "changing-answers"
    assert "a spec was changed after it was handed over: summary of the reader ini was 'x'" in finding.problem


def test_asking_for_the_plugins_while_being_imported_fails_as_it_does_elsewhere(
    look_at: Callable[..., Checkup],
) -> None:
    finding = only(look_at("asks", "from tunesmith.registry import get_registry\nget_registry()"))

    assert finding.code == "import"
    assert "PluginError: a plugin asked for the plugins while it was being loaded" in finding.problem


def test_a_plugin_that_is_switched_off_is_not_loaded(
    look_at: Callable[..., Checkup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_PLUGINS", "")

    checkup = look_at("off", "raise RuntimeError")

    assert (only(checkup).code, checkup.ok) == ("disabled", True)


def test_a_file_in_the_working_folder_is_not_taken_for_a_module(
    look_at: Callable[..., Checkup], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('not json')")
    monkeypatch.chdir(tmp_path)

    assert look_at("plain").ok


def test_required_plugins_that_are_unmet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TUNESMITH_REQUIRED_PLUGINS", "audit>=1.2; privacy; good")
    records = [
        PluginRecord(name=name, distribution=name, version="1.0", target=name, status=status, reason=reason)
        for name, status, reason in (("audit", "ok", ""), ("privacy", "broken", "no disk"), ("good", "ok", ""))
    ]  # type: ignore[arg-type]

    problems = [finding.problem for finding in check_required(records)]

    assert problems == [
        "TUNESMITH_REQUIRED_PLUGINS requires audit>=1.2, and the plugin 'audit' is there in version 1.0",
        "TUNESMITH_REQUIRED_PLUGINS requires privacy, and the plugin 'privacy' is broken: no disk",
    ]


def test_settings_that_cannot_be_read_are_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tunesmith").mkdir()
    (tmp_path / "tunesmith" / "tunesmith.toml").write_text("required_plugins = 3")

    (finding,) = check_required([])

    assert (finding.code, finding.broken) == ("settings", True)
    assert "is no list of plugins" in finding.problem


def test_every_code_can_be_looked_up() -> None:
    assert all(Finding(code=code, problem="x").broken is broken for code, broken in CODES.items())


def test_one_plugin_that_crashes_does_not_hide_the_others(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith._plugins.examine import look

    install(site, "aaa", plugin="import os\nos._exit(1)")
    install(site, "zzz", plugin=TASK.format("a:b"))
    monkeypatch.setenv("TUNESMITH_PLUGINS", "aaa,zzz")

    seen: dict[str, Examination] = {one.record.name: one for one in look()}

    assert seen["tunesmith"].record.status == "ok"
    assert seen["aaa"].record.status == "broken"
    assert seen["zzz"].record.provides == {"task": ("stance",)}
