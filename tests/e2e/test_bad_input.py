# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What people really hand in. Each gets a clear error before anything trains, and nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

import tunesmith
from tunesmith.errors import (
    DataError,
    ModelError,
    NonFiniteLossError,
    OfflineError,
    OutputError,
    RecipeError,
    RunError,
    StoppedError,
)
from tunesmith.plugin import StepDone
from tunesmith.runs import checkpoint_damage, complete_checkpoints
from tunesmith.testing import tiny_bert, tiny_llama

GOOD = "text,label\n" + "".join(f"apple {n},fruit\niron {n},metal\n" for n in range(8))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def job(tmp_path, monkeypatch, model):
    """Writes the files given, trains on them for two steps; relative names, as a user would have."""
    monkeypatch.chdir(tmp_path)

    def run(train=GOOD, test=None, overrides=(), **files):
        contents = {"train.csv": train, "test.csv": test} | files
        for name, content in contents.items():
            if content is not None:
                data = content if isinstance(content, bytes) else content.encode()
                (tmp_path / name).write_bytes(data)
        recipe = {
            "task": "text-classification",
            "model": str(model),
            "data": {"train": "train.csv"} | ({} if test is None else {"test": "test.csv"}),
            "train": {"max_steps": 2, "tokens_per_batch": 64},
            "output": "run",
        }
        return tunesmith.train(tunesmith.parse_recipe(recipe, overrides=overrides))

    return run


def refused(error, job, *words, **arguments):
    with pytest.raises(error) as caught:
        job(**arguments)
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert not os.path.exists("run"), "a refused job leaves nothing behind"
    return text


def test_no_such_file(job):
    refused(DataError, job, "trian.csv", "train.csv", overrides=["data.train=trian.csv"])


def test_no_such_column(job):
    text = refused(DataError, job, "txt", "text", overrides=["data.columns.text=txt"])
    assert "label" in text, "it says which columns there are"


def test_an_empty_file(job):
    refused(DataError, job, "train.csv", "empty", train="")


def test_a_header_and_no_rows(job):
    refused(DataError, job, "train.csv", train="text,label\n")


def test_a_label_in_test_that_training_never_saw(job):
    refused(DataError, job, "test.csv:3", "cheese", "fruit", test="text,label\napple,fruit\ngouda,cheese\n")


def test_the_wrong_encoding_is_named_with_the_place(job):
    data = "text,label\napple,fruit\ncafé crème,metal\n".encode("cp1252")
    refused(DataError, job, "train.csv", "utf-8", "encoding", "cp1252", train=data)


def test_missing_cells_and_nan_are_all_reported_at_once(job):
    rows = "text,label\napple,fruit\n,metal\niron,\niron,nan\n"
    refused(DataError, job, "train.csv:3", "train.csv:4", "train.csv:5", train=rows)


def test_only_the_first_twenty_problems_are_printed_and_all_are_counted(job):
    rows = GOOD + "".join(f"apple {n},\n" for n in range(50))
    text = refused(DataError, job, "50 in all", train=rows)
    assert text.count("train.csv:") == 20


def test_a_row_of_200_000_characters_is_truncated_and_counted(job, tmp_path):
    run = job(train=GOOD + f'"{"very " * 40_000}long",fruit\n')
    notes = [record["message"] for record in run.metrics() if record["kind"] == "note"]
    assert any("1 of 17" in note and "truncated" in note for note in notes), notes


def test_binary_junk_in_a_csv(job):
    refused(DataError, job, "train.csv", train=b"text,label\n\x00\x01\x02\xff\xfe,fruit\n" + GOOD.encode())


def test_a_duplicate_header(job):
    refused(DataError, job, "train.csv", "text", "twice", train="text,label,text\na,fruit,b\n")


def test_a_ragged_row_is_named(job):
    refused(DataError, job, "train.csv:2", train="text,label\napple,fruit,extra\n" + GOOD[11:])


def test_unknown_and_mistyped_keys_are_all_named(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(
        textwrap.dedent("""\
        task: text-classification
        model: tunesmith/tiny
        data:
          trian: train.csv
          train: train.csv
        train: {epoch: 5, learning_rate: fast}
        output: run
        """)
    )
    with pytest.raises(RecipeError) as caught:
        tunesmith.read_recipe(file)
    text = str(caught.value)
    for word in ("line 4", "trian", "did you mean", "line 6", "epochs", "learning_rate", "fast"):
        assert word in text, text


def test_a_model_folder_without_a_tokenizer(job, tmp_path, model):
    folder = tmp_path / "bare"
    folder.mkdir()
    for path in model.iterdir():
        if "token" not in path.name and "vocab" not in path.name:
            (folder / path.name).write_bytes(path.read_bytes())
    refused(ModelError, job, "tokenizer", "bare", overrides=["model=bare"])


def test_a_model_folder_with_a_pickle(job, tmp_path, model):
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in model.iterdir():
        name = "pytorch_model.bin" if path.suffix == ".safetensors" else path.name
        (folder / name).write_bytes(path.read_bytes())
    refused(ModelError, job, "pytorch_model.bin", "pickle", "safetensors", overrides=["model=pickled"])


def test_truncated_safetensors(job, tmp_path, model):
    folder = tmp_path / "cut"
    folder.mkdir()
    for path in model.iterdir():
        data = path.read_bytes()
        (folder / path.name).write_bytes(data[: len(data) // 2] if path.suffix == ".safetensors" else data)
    refused(ModelError, job, "model.safetensors", "bytes", overrides=["model=cut"])


def test_an_output_folder_that_holds_another_run_is_never_overwritten(job, tmp_path):
    run = job()
    before = (run.path / "run.json").read_bytes()
    with pytest.raises((RunError, OutputError)) as caught:
        job()
    assert "run" in str(caught.value)
    assert "output" in str(caught.value)
    assert (run.path / "run.json").read_bytes() == before


def test_an_output_folder_with_other_files_is_never_touched(job, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises((RunError, OutputError), match=r"thesis\.txt|not empty"):
        job()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_an_output_that_cannot_be_made(job, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        job(overrides=["output=file/run"])


def test_no_network_for_a_hub_id(job, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code = "import tunesmith\n" + textwrap.dedent(
        """
        try:
            recipe = {"task": "causal-lm", "model": "someone/some-model", "data": {"train": "t.csv"}, "output": "run"}
            tunesmith.train(tunesmith.parse_recipe(recipe))
        except tunesmith.TunesmithError as error:
            print(type(error).__name__, error)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(OfflineError.__name__), done.stdout + done.stderr
    assert "someone/some-model" in done.stdout
    assert "tunesmith/tiny" in done.stdout, "the offline ways are named"


def test_a_full_disk_stops_the_job_and_says_so(tmp_path, model):
    """A real limit on file size, in a real process: the first checkpoint does not fit."""
    (tmp_path / "train.csv").write_text(GOOD)
    recipe = {
        "task": "text-classification",
        "model": str(model),
        "data": {"train": "train.csv"},
        "train": {"epochs": 1},
        "output": "run",
    }
    code = textwrap.dedent(
        f"""
        import resource, signal, tunesmith
        recipe = tunesmith.parse_recipe({recipe!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            tunesmith.train(recipe)
        except tunesmith.TunesmithError as error:
            print(type(error).__name__, error)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OutputError"), done.stdout + done.stderr
    assert "to do:" in done.stdout
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_the_command_prints_one_short_block_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "tunesmith_cli", "train", "--task", "text-classification"]
    command += [
        "--model",
        "tunesmith/tiny",
        "--train",
        "none.csv",
        "--text",
        "text",
        "--label",
        "label",
        "--out",
        "run",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "none.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 6, done.stderr
    assert done.stdout == ""


def test_a_recipe_as_plain_data_is_answered_with_the_way_to_make_one():
    with pytest.raises(
        TypeError, match=r"given dict: read_recipe\(path\) makes one of a file, parse_recipe\(mapping\)"
    ):
        tunesmith.train({"task": "causal-lm"})  # type: ignore[arg-type]


# ---- conversations --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("models") / "llama")


def said(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.fixture
def talk(tmp_path, monkeypatch, llama):
    """Trains two steps on these conversations."""
    monkeypatch.chdir(tmp_path)

    def run(chats, overrides=(), model=llama, **train):
        (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
        recipe = {
            "task": "chat",
            "model": str(model),
            "data": {"train": "chats.jsonl", "max_length": 48},
            "train": {"max_steps": 2, "tokens_per_batch": 96, "precision": "fp32"} | train,
            "evaluate": {"samples": 0},
            "output": "run",
        }
        return tunesmith.train(tunesmith.parse_recipe(recipe, overrides=overrides))

    return run


def notes(run):
    return [record["message"] for record in run.metrics() if record["kind"] == "note"]


SHORT = [said(f"say {n}", f"{n}") for n in range(6)]
LONG = said("tell", "a long story " * 20)


def test_an_answer_longer_than_the_context_is_cut_left_out_or_refused_as_the_recipe_says(talk):
    cut = notes(talk([*SHORT, LONG]))
    assert any("1 of 7 rows truncated to 48 tokens" in note for note in cut), cut
    assert any("1 row cut before the stop token of their last answer" in note for note in cut), cut
    skipped = notes(talk([*SHORT, LONG], overrides=["data.too_long=skip", "output=skipped"]))
    assert any("1 of 7 rows skipped: longer than 48 tokens" in note for note in skipped), skipped
    with pytest.raises(DataError, match=r"chats\.jsonl:7: \d+ tokens; at most 48 are allowed"):
        talk([*SHORT, LONG], overrides=["data.too_long=error", "output=refused"])
    assert not os.path.exists("refused")


def test_a_question_that_fills_the_context_leaves_nothing_to_learn(talk):
    run = talk([*SHORT, said("why " * 40, "because")])
    assert any("1 row skipped: no answer begins within 48 tokens" in note for note in notes(run))
    with pytest.raises(DataError, match=r"no rows are left to train on"):
        talk([said("why " * 40, "because")] * 3, overrides=["output=nothing"])
    assert not os.path.exists("nothing")


def test_conversations_that_stand_there_twice_are_counted(talk):
    run = talk([*SHORT, *SHORT[:2]])
    assert "2 of 8 training conversations are copies of another one; they are kept" in notes(run)


def test_a_template_without_a_stop_token_is_refused(talk, llama, tmp_path):
    model = tmp_path / "endless"
    shutil.copytree(llama, model)
    template = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    template += "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    (model / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match="no special token behind an answer, so the model could not") as caught:
        talk(SHORT, model=model)
    assert "repair chat_template" in str(caught.value)
    assert not os.path.exists("run")


def test_a_loss_that_becomes_nan_stops_the_job_with_the_last_weights_saved(talk):
    """A rate that no model survives: the first step is still finite, one of the next is not."""
    with pytest.raises(NonFiniteLossError, match=r"is not finite at step \d") as caught:
        talk(SHORT, learning_rate=1e30, warmup_steps=0, max_steps=9, save_every=1, epochs=9)
    text = str(caught.value)
    assert "lower the learning rate" in text
    assert "chats.jsonl:" in text
    run = tunesmith.Run.open("run")
    assert run.manifest["status"] == "failed"
    assert "is not finite" in run.manifest["error"]
    assert all(checkpoint_damage(path) is None for path in complete_checkpoints(run.checkpoint_folder))
    with pytest.raises(NonFiniteLossError) as again:
        tunesmith.train(resume="run")
    assert str(again.value) == text, "resumed, it meets the same step"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "closed"])
def test_a_job_that_is_asked_to_stop_saves_and_can_be_resumed(talk, number):
    from tunesmith_cli.signals import stop_on_signals

    def interrupt(event):
        if isinstance(event, StepDone) and event.step == 2:
            os.kill(os.getpid(), number)

    whole = talk(SHORT, max_steps=5, epochs=9)
    recipe = whole.recipe().model_copy(update={"output": "stopped"})
    with stop_on_signals() as stop, pytest.raises(StoppedError, match=r"stopped at step 2 of 5; everything is saved"):
        tunesmith.train(recipe, observers=[interrupt], stop=stop)
    assert tunesmith.Run.open("stopped").manifest["status"] == "interrupted"
    resumed = tunesmith.train(resume="stopped")
    weights = [run.model_folder / "model.safetensors" for run in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
