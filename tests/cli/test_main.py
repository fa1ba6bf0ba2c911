# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Exit codes and the words of errors, whatever a command meets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import tunesmith
from tunesmith.errors import DataError, Origin, Problem, RecipeError, StoppedError, TrainingError
from tunesmith_cli import root
from tunesmith_cli.main import main


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make ``tunesmith doctor`` raise what a test wants."""

    def install(error: BaseException) -> None:
        app = typer.Typer()

        @app.command()
        def doctor() -> None:
            raise error

        monkeypatch.setattr(root, "import_module", lambda name: type("module", (), {"app": app}))

    return install


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tunesmith {tunesmith.__version__}\n"


def test_without_a_command_help_comes_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: tunesmith")


def test_help_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for panel in ("Make:", "Use:", "Look up:", "Options:"):
        assert panel in captured.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trian"], ["error: no such command: 'trian'. Did you mean 'train'?", "to do:    see `tunesmith --help`"]),
        (["train", "--epochs", "3"], ["error: no such option: --epochs", "see `tunesmith train --help`"]),
        (["train"], ["give a recipe file, or flags; missing: --task, --model, --train, --out"]),
        (["train", "--task", "chat", "--out", "x"], ["missing: --model, --train"]),
        (["train", "a.yaml", "--task", "chat"], ["a recipe file and --task do not go together", "--set"]),
        (["train", "--resume", "r", "--set", "train.epochs=3"], ["a resumed run goes on with its own recipe"]),
        (["recipe"], ["error: missing command", "expected: one of new, schema"]),
        (["runs", "compare", "only-one"], ["no such run: only-one"]),
        (["predict", "model", "--columns", "text"], ["'text' is not NAME=COLUMN", "text=body"]),
        (["generate", "model"], ["missing option '--prompt'"]),
    ],
)
def test_wrong_usage_is_one_short_block_with_exit_code_2(
    args: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) <= 4
    for word in words:
        assert word in captured.err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (RecipeError("no such key", given="epoch", fix="epochs"), 2, "error: no such key\n  given:    epoch\n"),
        (DataError("a row is wrong", problems=[Problem(Origin("a.csv", 3), "empty")]), 2, "    a.csv:3: empty"),
        (TrainingError("the disk went away"), 3, "error: the disk went away"),
        (
            StoppedError("stopped at step 5", fix="tunesmith train --resume r"),
            130,
            "stopped at step 5\n  to do:    tune",
        ),
        (ValueError("oops"), 1, "error: ValueError: oops\n  this is a bug: run again with --debug"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_have_their_exit_code_and_no_traceback(
    error: BaseException,
    code: int,
    text: str,
    failing,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    failing(error)
    assert main(["doctor"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("error", [RecipeError("no such key"), ValueError("oops")], ids=["ours", "a bug"])
def test_debug_adds_the_traceback(error: Exception, failing, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    failing(error)
    main(["--debug", "doctor"])
    captured = capsys.readouterr().err
    assert "Traceback (most recent call last)" in captured
    assert captured.index("Traceback") < captured.index("error: ")


def test_debug_also_stands_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "new", "no-such-task", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m tunesmith_cli recipe schema | head -c 5"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    program = f"{sys.executable} -m tunesmith_cli"
    return subprocess.run(["bash", "-c", f"{program} {command}"], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_no_bug() -> None:
    done = shell("recipe schema > /dev/full")
    assert (done.returncode, done.stderr.splitlines()[1]) == (2, "  to do:    make room, or send it elsewhere")
    assert "error: the output cannot be written: No space left on device" in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("command", "code"), [("recipe schema >&-", 0), ("recipe schema <&- >&- 2>&-", 0), ("tain 2>&-", 2)]
)
def test_streams_may_be_closed_from_the_start(command: str, code: int) -> None:
    done = shell(command)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_closed_stdin_is_an_empty_one() -> None:
    done = shell("predict no/such/model <&-")
    assert done.returncode == 2
    assert "there is no model no/such/model" in done.stderr


def test_characters_the_terminal_lacks_do_not_end_the_program() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    command = [sys.executable, "-m", "tunesmith_cli", "train", "--help"]
    done = subprocess.run(command, capture_output=True, timeout=60, env=environ)
    assert (done.returncode, done.stderr) == (0, b"")


def test_completion_names_commands() -> None:
    environ = {**os.environ, "_TUNESMITH_COMPLETE": "complete_bash", "COMP_WORDS": "tunesmith tra", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "tunesmith_cli"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert done.stdout.split() == ["train", "transforms", "trackers"]


def test_the_entry_point_of_the_wheel_is_this_main(root: Path) -> None:
    assert 'tunesmith = "tunesmith_cli.main:main"' in (root / "pyproject.toml").read_text(encoding="utf-8")
