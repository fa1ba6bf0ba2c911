# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The road from rows to answers, walked with the real program on models of some thousand random weights."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from forge import Forge

from tunesmith import Recipe
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith_cli.main import main
from tunesmith_cli.quickstart import quickstart_recipe

WORDS = {"refund": "money back please", "parcel": "where is my parcel", "login": "cannot log in"}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def tunesmith(*args: object, cwd: Path, stdin: str = "") -> Done:
    """Run a command in this process: importing torch anew for each would cost more than all of them."""
    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    pipe = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    os.chdir(cwd)
    try:
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", pipe):
            code = main([str(arg) for arg in args])
    finally:
        os.chdir(before)
    return Done(code, out.getvalue(), err.getvalue())


def process(*command: object, cwd: Path, heed: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    """A process of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [str(part) for part in command], cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed
    )


def ok(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def write_rows(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    path.write_text("body,category\n" + "".join(f"{body},{category}\n" for body, category in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small encoder, a small decoder, and some rows."""
    folder = tmp_path_factory.mktemp("work")
    tiny_bert(folder / "encoder")
    tiny_llama(folder / "decoder")
    rows = [(f"{text} {number}", label) for number in range(8) for label, text in WORDS.items()]
    write_rows(folder / "train.csv", rows)
    write_rows(folder / "test.csv", rows[:6])
    (folder / "corpus.txt").write_text("the cat sat on the mat\n" * 40, encoding="utf-8")
    chats = [
        {"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": word}]}
        for word in ("yes", "no") * 4
    ]
    (folder / "chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    return folder


FLAGS = ["--task", "text-classification", "--model", "encoder", "--train", "train.csv", "--text", "body"]
FLAGS += ["--label", "category"]


@pytest.fixture(scope="module")
def classifier(place: Path) -> Path:
    """A run of two epochs, made with flags."""
    sets = ["--set", "train.epochs=2", "--set", "train.tokens_per_batch=256"]
    done = tunesmith("train", *FLAGS, "--test", "test.csv", "--out", "runs/classifier", *sets, cwd=place)
    out = ok(done)
    assert re.search(r"^test +[\d.]+", out, re.MULTILINE)
    assert "report  runs/classifier/report.html" in out
    assert "test, before training:" in done.stderr
    assert re.search(r"step 1/\d+ +epoch", done.stderr)
    assert "tunesmith predict runs/classifier FILE" in done.stderr
    assert (place / "runs/classifier/report.html").is_file()
    return place / "runs/classifier"


@pytest.fixture(scope="module")
def writer(place: Path) -> Path:
    """A language model of one epoch, made from a recipe."""
    recipe = {
        "task": "causal-lm",
        "model": "decoder",
        "data": {"train": "corpus.txt", "split": {"validation": 0.2}, "max_length": 64},
        "output": "runs/unused",
    }
    (place / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    sets = ["--set", "output=runs/writer", "--set", "train.epochs=1"]
    report = json.loads(ok(tunesmith("train", "recipe.yaml", *sets, "--json", cwd=place)))
    assert report["run"] == "runs/writer"
    assert report["status"] == "finished"
    assert report["steps"] > 0
    assert report["metrics"]["validation"]["loss"] > 0
    return place / "runs/writer"


def test_evaluate_gives_the_figure_that_training_printed(place: Path, classifier: Path) -> None:
    done = tunesmith("evaluate", classifier, "--data", "test.csv", "--json", cwd=place)
    report = json.loads(ok(done))
    manifest = json.loads((classifier / "run.json").read_text(encoding="utf-8"))
    assert report["rows"] == 6
    assert report["metrics"]["accuracy"] == pytest.approx(manifest["metrics"]["test"]["accuracy"])
    assert re.search(r"^rows +6$", ok(tunesmith("evaluate", classifier, "--data", "test.csv", cwd=place)), re.MULTILINE)


def test_a_model_trained_in_bf16_is_scored_as_it_will_answer(place: Path) -> None:
    sets = ["--set", "train.max_steps=2", "--set", "train.precision=bf16"]
    ok(tunesmith("train", *FLAGS, "--test", "test.csv", "--out", "runs/bf16", *sets, cwd=place))
    manifest = json.loads((place / "runs/bf16/run.json").read_text(encoding="utf-8"))
    assert manifest["precision"] == "bf16"
    report = json.loads(ok(tunesmith("evaluate", "runs/bf16", "--data", "test.csv", "--json", cwd=place)))
    assert manifest["metrics"]["test"]["loss"] == pytest.approx(report["metrics"]["loss"], rel=1e-7)


def test_predict_answers_files_pipes_and_texts_alike(place: Path, classifier: Path) -> None:
    from_file = ok(tunesmith("predict", classifier, "test.csv", cwd=place)).splitlines()
    rows = [line.split(",")[0] for line in (place / "test.csv").read_text(encoding="utf-8").splitlines()[1:]]
    plain = ok(tunesmith("predict", classifier, stdin="\n".join(rows), cwd=place)).splitlines()
    objects = "".join(json.dumps({"body": row}) + "\n" for row in rows)
    as_json = ok(tunesmith("predict", classifier, "-", stdin=objects, cwd=place)).splitlines()
    assert len(from_file) == 6
    for one, two, three in zip(from_file, plain, as_json, strict=True):
        answers = [json.loads(line) for line in (one, two, three)]
        assert {answer["label"] for answer in answers} <= set(WORDS)
        for answer in answers:
            assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert answer["probabilities"] == pytest.approx(answers[0]["probabilities"], abs=1e-5)


def test_predict_answers_each_line_of_a_pipe_before_the_next_and_dies_quietly(place: Path, classifier: Path) -> None:
    running = process(sys.executable, "-m", "tunesmith_cli", "predict", classifier, cwd=place)  # as it is installed
    assert running.stdin is not None
    assert running.stdout is not None
    assert running.stderr is not None
    for text in ("where is my parcel", "money back"):
        running.stdin.write(f"{text}\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["label"] in WORDS
    running.stdout.close()  # as `head -2` does
    running.stdin.write("cannot log in\n")
    running.stdin.close()
    assert running.wait(timeout=60) == 141
    assert running.stderr.read() == ""
    running.stderr.close()


def test_predict_reads_a_pipe_by_line_only(place: Path, classifier: Path) -> None:
    done = tunesmith("predict", classifier, "-", "--format", "csv", stdin="body,category\nhello,x\n", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected: --format jsonl or --format text" in done.stderr
    unused = tunesmith("predict", classifier, "-", "--max-new-tokens", "3", stdin="hello\n", cwd=place)
    assert (unused.returncode, unused.stdout) == (2, "")
    assert "for a model that generates text" in unused.stderr


def test_predict_writes_a_new_file_only(place: Path, classifier: Path) -> None:
    done = tunesmith("predict", classifier, "test.csv", "--out", "answers.jsonl", cwd=place)
    assert ok(done) == ""
    assert "6 answers in answers.jsonl" in done.stderr
    assert len((place / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    again = tunesmith("predict", classifier, "test.csv", "--out", "answers.jsonl", cwd=place)
    assert again.returncode == 2
    assert "the file exists, and is left alone" in again.stderr


def test_predict_says_which_column_it_lacks(place: Path, classifier: Path) -> None:
    done = tunesmith("predict", classifier, stdin='{"remark": "hello"}\n', cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert "stdin:1" in done.stderr
    mapped = tunesmith("predict", classifier, "--columns", "text=remark", stdin='{"remark": "hello"}\n', cwd=place)
    assert json.loads(ok(mapped))["label"] in WORDS


def test_generate_repeats_itself_with_a_seed_and_greedily(place: Path, writer: Path) -> None:
    def text(*options: object) -> str:
        return ok(tunesmith("generate", writer, "--prompt", "the", "--max-new-tokens", 8, *options, cwd=place))

    assert text("--seed", 3) == text("--seed", 3)
    greedy = text("--greedy")
    assert greedy == text("--temperature", 0)
    assert json.loads(text("--greedy", "--json"))["text"] + "\n" == greedy


def test_generate_refuses_what_excludes_each_other(place: Path, writer: Path, classifier: Path) -> None:
    done = tunesmith("generate", writer, "--prompt", "the", "--greedy", "--temperature", 2, cwd=place)
    assert done.returncode == 2
    assert "greedy draws nothing, so temperature cannot be given" in done.stderr
    other = tunesmith("generate", classifier, "--prompt", "the", cwd=place)
    assert other.returncode == 2
    assert "this model does not generate text" in other.stderr


def test_chat_talks_through_a_pipe(place: Path, writer: Path) -> None:
    trained = tunesmith(
        *["train", "--task", "chat", "--model", "decoder", "--train", "chats.jsonl", "--out", "runs/chat"],
        *["--set", "train.max_steps=2"],
        cwd=place,
    )
    ok(trained)
    assert "tunesmith chat runs/chat" in trained.stderr
    options = ["--greedy", "--max-new-tokens", 4]
    done = tunesmith("chat", "runs/chat", *options, stdin="say yes\n/reset\nsay yes\n/exit\nnever\n", cwd=place)
    first, second = ok(done).split("\n")[:2]
    assert first == second  # greedy, and the first question was forgotten
    assert "forgotten" in done.stderr
    answered = ok(tunesmith("predict", "runs/chat", "-", "--max-new-tokens", "1", stdin="say yes\n", cwd=place))
    assert set(json.loads(answered)) == {"text", "finish"}
    other = tunesmith("chat", writer, stdin="hello\n", cwd=place)
    assert other.returncode == 2
    assert "this model does not answer messages" in other.stderr


def test_runs_are_listed_shown_and_compared(place: Path, classifier: Path, writer: Path) -> None:
    listed = json.loads(ok(tunesmith("runs", "list", "--json", cwd=place)))
    assert {"runs/classifier", "runs/writer"} <= {run["path"] for run in listed}
    table = ok(tunesmith("runs", "list", cwd=place))
    assert re.search(r"runs/classifier +finished +text-classification +encoder +full +test\.accuracy", table)
    shown = ok(tunesmith("runs", "show", classifier, cwd=place))
    assert re.search(r"^status +finished$", shown, re.MULTILINE)
    assert "train.csv  24 rows" in shown
    assert json.loads(ok(tunesmith("runs", "show", classifier, "--json", cwd=place)))["task"] == "text-classification"
    compared = ok(tunesmith("runs", "compare", "runs/classifier", "runs/writer", cwd=place))
    assert re.search(r"^task +text-classification +causal-lm$", compared, re.MULTILINE)
    alone = tunesmith("runs", "compare", "runs/classifier", cwd=place)
    assert alone.returncode == 2
    assert "a comparison needs two runs" in alone.stderr


def test_nothing_is_overwritten(place: Path, classifier: Path) -> None:
    before = (classifier / "run.json").read_bytes()
    done = tunesmith("train", *FLAGS, "--out", "runs/classifier", cwd=place)
    assert done.returncode == 2
    assert "runs/classifier is not empty, and nothing is overwritten" in done.stderr
    assert (classifier / "run.json").read_bytes() == before


def test_a_mistyped_key_is_answered_with_the_right_one(place: Path) -> None:
    done = tunesmith("train", *FLAGS, "--out", "runs/typo", "--set", "train.epoch=3", cwd=place)
    assert done.returncode == 2
    assert "did you mean 'epochs'?" in done.stderr
    assert not (place / "runs/typo").exists()


def test_quiet_prints_the_result_only(place: Path) -> None:
    done = tunesmith("train", *FLAGS, "--out", "runs/quiet", "--set", "train.max_steps=1", "--quiet", cwd=place)
    assert "report  runs/quiet/report.html" in ok(done)
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_saves_and_resume_goes_on(place: Path, forge: Forge) -> None:
    def heed() -> None:  # whoever started the tests in the background may have them, and their children, ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)

    sets = ["--set", "train.epochs=400", "--set", "train.tokens_per_batch=64"]
    command = [forge.folder / "tunesmith", "train", *FLAGS, "--out", "runs/stopped", *sets]
    running = process(*command, cwd=place, heed=heed)
    steps = place / "runs/stopped/metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (steps.exists() and '"step"' in steps.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), err
    assert "stopping: the step under way is finished and saved" in err
    assert "to do:    tunesmith train --resume runs/stopped" in err
    again = tunesmith("train", "--resume", "runs/stopped", "--set", "train.max_steps=3", cwd=place)
    assert again.returncode == 2  # a resumed run is the same run
    listed = json.loads(ok(tunesmith("runs", "list", "--json", cwd=place)))
    assert {run["status"] for run in listed if run["path"] == "runs/stopped"} == {"interrupted"}


def test_a_stopped_run_ends_like_one_that_was_not(place: Path, forge: Forge) -> None:
    sets = ["--set", "train.max_steps=4", "--set", "train.save_every=2"]
    ok(tunesmith("train", *FLAGS, "--out", "runs/whole", *sets, cwd=place))
    command = ["-c", KILLED_AT_STEP_3, "train", *FLAGS, "--out", "runs/killed", *sets]
    killed = forge.python(*command, cwd=place, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    ok(tunesmith("train", "--resume", "runs/killed", cwd=place))
    weights = [(place / run / "model/model.safetensors").read_bytes() for run in ("runs/whole", "runs/killed")]
    assert weights[0] == weights[1]


def test_the_quickstart_teaches_something_and_says_what_comes_next(place: Path, root: Path) -> None:
    if not (root / "core/tunesmith/assets/tiny/model.safetensors").is_file():
        pytest.skip("needs the weights of tunesmith/tiny, which this checkout does not hold")
    done = tunesmith("quickstart", cwd=place)
    out = ok(done)
    before = float(re.search(r"^test, before training +([\d.]+)", out, re.MULTILINE)[1])  # type: ignore[index]
    after = float(re.search(r"^test +([\d.]+)", out, re.MULTILINE)[1])  # type: ignore[index]
    assert after > before + 0.3
    assert re.search(r"^answer +\w+ \(\d+% sure\)$", out, re.MULTILINE)
    assert "report  quickstart-run/report.html" in out
    assert "tunesmith predict quickstart-run FILE" in done.stderr
    with patch("tunesmith_cli.quickstart.quickstart_recipe", two_steps_of(quickstart_recipe)):
        taken = json.loads(ok(tunesmith("quickstart", "--json", cwd=place)))
    assert taken["run"] == "quickstart-run-2"
    assert taken["prediction"]["label"]


def two_steps_of(recipe_for: Callable[[Path], Recipe]) -> Callable[[Path], Recipe]:
    """The same recipe, for a job that need not teach anything."""

    def short(out: Path) -> Recipe:
        recipe = recipe_for(out)
        return recipe.model_copy(update={"train": recipe.train.model_copy(update={"max_steps": 2})})

    return short


KILLED_AT_STEP_3 = """
import os, signal, sys
import tunesmith_cli.progress as progress

def die(self, event):
    if event.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)

progress.PlainProgress.on_step = die
from tunesmith_cli.main import main
sys.exit(main(sys.argv[1:]))
"""
