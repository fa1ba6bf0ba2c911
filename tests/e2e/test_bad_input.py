# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What people really hand in. Each gets a clear error before anything trains, and nothing is left behind."""

import json
import math
import os
import textwrap

import pytest

import tunesmith
from tunesmith.errors import (
    DataError,
    ModelError,
    OfflineError,
    OutputError,
    RecipeError,
    RunError,
)
from tunesmith.runs import checkpoint_damage, complete_checkpoints
from tunesmith.testing import tiny_bert

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
    refused(DataError, job, "train.csv: the file has a header and no rows", "columns text, label", train="text,label\n")


def test_a_label_in_test_that_training_never_saw(job):
    refused(DataError, job, "test.csv:3", "cheese", "fruit", test="text,label\napple,fruit\ngouda,cheese\n")


def test_the_wrong_encoding_is_named_with_the_place(job):
    data = "text,label\napple,fruit\ncafé crème,metal\n".encode("cp1252")
    refused(DataError, job, "train.csv", "utf-8", "encoding", "cp1252", train=data)


def test_missing_cells_and_nan_are_all_reported_at_once(job):
    rows = "text,label\napple,fruit\n,metal\niron,\niron,nan\n"
    missing = "train.csv:5: label is 'nan', which is how a missing value is written"
    refused(DataError, job, "train.csv:3: text is empty", "train.csv:4: label is empty", missing, train=rows)


def test_labels_missing_in_part_of_the_rows(job):
    rows = {"text": "a", "label": "x"}, {"text": "b", "label": None}, {"text": "c"}, {"text": "d", "label": math.nan}
    text = refused(
        DataError,
        job,
        "3 problems in 4 rows",
        "train.jsonl:2: label is missing",
        "train.jsonl:3: label is missing",
        "train.jsonl:4: NaN is not JSON; write null for a missing value",
        overrides=["data.train=train.jsonl"],
        **{"train.jsonl": "\n".join(map(json.dumps, rows))},
    )
    assert "none is skipped or repaired silently" in text


def test_only_the_first_twenty_problems_are_printed_and_all_are_counted(job):
    rows = GOOD + "".join(f"apple {n},\n" for n in range(50))
    text = refused(DataError, job, "50 in all", train=rows)
    assert text.count("train.csv:") == 20


def test_a_row_of_200_000_characters_is_truncated_and_counted(job, tmp_path):
    run = job(train=GOOD + f'"{"very " * 40_000}long",fruit\n')
    notes = [record["message"] for record in run.metrics() if record["kind"] == "note"]
    assert any("1 of 17" in note and "truncated" in note for note in notes), notes


def test_binary_junk_in_a_csv(job):
    junk = b"text,label\n\x00\x01\x02\xff\xfe,fruit\n" + GOOD.encode()
    refused(DataError, job, "train.csv:2: wrong encoding: not utf-8 at byte 14", "looks like binary junk", train=junk)
    text = "train.csv:2: binary junk in column 'text': control character U+0000"
    refused(DataError, job, text, train=b"text,label\na\x00b,fruit\n" + GOOD.encode())
    refused(DataError, job, "train.csv: this is a PNG image, not text", train=b"\x89PNG\r\n\x1a\n" + bytes(99))


def test_a_duplicate_header(job):
    refused(DataError, job, "train.csv", "text", "twice", train="text,label,text\na,fruit,b\n")


def test_a_ragged_row_is_named(job):
    text = "train.csv:2: 3 cells, and the header names 2 columns"
    refused(DataError, job, text, train="text,label\napple,fruit,extra\n" + GOOD[11:])


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


def test_no_network_for_a_hub_id(tmp_path, forge):
    """In a process that has been offline from its start: the hub's library looks once."""
    assert os.environ["HF_HUB_OFFLINE"] == "1"  # the forge's too
    code = "import tunesmith\n" + textwrap.dedent(
        """
        try:
            recipe = {"task": "causal-lm", "model": "someone/some-model", "data": {"train": "t.csv"}, "output": "run"}
            tunesmith.train(tunesmith.parse_recipe(recipe))
        except tunesmith.TunesmithError as error:
            print(type(error).__name__, error)
        """
    )
    done = forge.python("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(OfflineError.__name__), done.stdout + done.stderr
    assert "someone/some-model" in done.stdout
    assert "tunesmith/tiny" in done.stdout, "the offline ways are named"


def test_a_full_disk_stops_the_job_and_says_so(tmp_path, model, forge):
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
    done = forge.python("-c", code, cwd=tmp_path, check=True)
    assert done.stdout.startswith("OutputError"), done.stdout + done.stderr
    assert "to do:" in done.stdout
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_a_disk_that_fills_up_during_a_later_checkpoint_costs_nothing_but_that_one(tmp_path, model, monkeypatch, forge):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text(GOOD)
    recipe = {
        "task": "text-classification",
        "model": str(model),
        "data": {"train": "train.csv"},
        "train": {"max_steps": 3, "epochs": 9, "tokens_per_batch": 64, "save_every": 1},
        "output": "run",
    }
    code = textwrap.dedent(
        f"""
        import resource, signal, tunesmith
        from tunesmith.plugin import CheckpointSaved
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        def fill_up(event):
            if isinstance(event, CheckpointSaved) and event.step == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            tunesmith.train(tunesmith.parse_recipe({recipe!r}), observers=[fill_up])
        except tunesmith.TunesmithError as error:
            print(type(error).__name__, error)
        """
    )
    done = forge.python("-c", code, cwd=tmp_path, check=True)
    assert done.stdout.startswith("OutputError"), done.stdout + done.stderr
    assert "step-00000002" in done.stdout
    run = tunesmith.Run.open("run")
    assert [(path.name, checkpoint_damage(path)) for path in complete_checkpoints(run.checkpoint_folder)] == [
        ("step-00000001", None)
    ]
    resumed = tunesmith.train(resume="run")
    assert resumed.manifest["status"] == "finished"
    assert [record["step"] for record in resumed.metrics() if record["kind"] == "step"] == [1, 2, 3]


def test_the_command_prints_one_short_block_and_no_traceback(tmp_path, forge):
    command = ["train", "--task", "text-classification", "--model", "tunesmith/tiny", "--train", "none.csv"]
    command += ["--text", "text", "--label", "label", "--out", "run"]
    done = forge.tunesmith(*command, cwd=tmp_path)
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
