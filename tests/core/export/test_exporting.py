# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every export does, whatever its form: refuse, check, write a manifest, and leave nothing half done."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from tunesmith import export
from tunesmith.errors import ModelError, NotFoundError, OutputError, ParityError, RunError
from tunesmith.export import export_model
from tunesmith.export.folders import Merged
from tunesmith.export.parity import Finding
from tunesmith.runs import Run, artefact_digests, file_digest


def test_the_public_names() -> None:
    assert export.__all__ == ["Export", "Exporter", "Finding", "Subject", "compare_golden", "export_model"]


def test_the_manifest_says_what_where_from_and_how_it_was_checked(classifier_run: Path, tmp_path: Path) -> None:
    done = export_model(classifier_run, to="merged", out=tmp_path / "out")

    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert manifest["format"] == 1
    assert manifest["to"] == done.to == "tunesmith/merged"
    assert manifest["source"]["run"] == str(classifier_run)
    assert manifest["source"]["task"] == "tunesmith/text-classification"
    assert manifest["source"]["precision"] == "fp32"
    assert manifest["packages"]["transformers"]
    assert manifest["check"]["state"] == done.state == "passed"
    assert manifest["check"]["rows_from"] == "validation"
    names = [finding["name"] for finding in manifest["check"]["findings"]]
    assert names == ["rendering", "token ids", "probabilities"]
    files = {path.name: file_digest(path) for path in (tmp_path / "out").iterdir() if path.name != "export.json"}
    assert manifest["files"] == done.files == files


def test_without_a_check_the_manifest_says_so(classifier_run: Path, tmp_path: Path) -> None:
    done = export_model(classifier_run, to="merged", out=tmp_path / "out", check=False)

    assert done.state == "not checked"
    assert json.loads((tmp_path / "out" / "export.json").read_text())["check"]["state"] == "not checked"


def test_an_export_that_answers_otherwise_is_an_error_and_leaves_nothing(
    classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Merged.write

    def damaged(self: Merged, subject: export.Subject, folder: Path, quantize: str | None) -> None:
        write(self, subject, folder, quantize)
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        save_file({name: weight * 1.5 for name, weight in weights.items()}, folder / "model.safetensors")

    monkeypatch.setattr(Merged, "write", damaged)
    with pytest.raises(ParityError) as caught:
        export_model(classifier_run, to="merged", out=tmp_path / "out")

    assert caught.value.exit_code == 3
    assert "does not answer as the model does; nothing was kept" in caught.value.what
    assert "probabilities" in str(caught.value.given)
    assert "allowed: 0.0001" in str(caught.value.given)
    assert list(tmp_path.iterdir()) == []

    kept = export_model(classifier_run, to="merged", out=tmp_path / "out", check="warn")
    assert kept.state == "failed"
    assert json.loads((tmp_path / "out" / "export.json").read_text())["check"]["state"] == "failed"


def test_no_such_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="is not a run"):
        export_model(tmp_path / "empty", to="merged", out=tmp_path / "out")
    with pytest.raises(ModelError, match="nowhere"):
        export_model(tmp_path / "nowhere", to="merged", out=tmp_path / "out")


def test_a_run_that_has_not_finished(classifier_run: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_run, tmp_path / "run")
    Run.open(tmp_path / "run").update(status="interrupted")

    with pytest.raises(RunError, match="has not finished") as caught:
        export_model(tmp_path / "run", to="merged", out=tmp_path / "out")
    assert caught.value.given == "status interrupted"
    assert "tunesmith train --resume" in caught.value.fix[0]


def test_a_file_that_was_changed_since_is_named(classifier_run: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_run, tmp_path / "run")
    file = tmp_path / "run" / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    with pytest.raises(RunError, match=r"model\.safetensors is not what it was when the run finished") as caught:
        export_model(tmp_path / "run", to="merged", out=tmp_path / "out")
    assert str(caught.value.expected).startswith("sha256:")
    assert "tunesmith verify" in caught.value.fix[0]


def test_something_is_there_already(classifier_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="is not empty, and nothing is overwritten") as caught:
        export_model(classifier_run, to="merged", out=tmp_path / "out")
    assert caught.value.fix == ("choose another folder: --out FOLDER",)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is there and is no folder"):
        export_model(classifier_run, to="merged", out=tmp_path / "file")
    (tmp_path / "free").mkdir()
    assert export_model(classifier_run, to="merged", out=tmp_path / "free").state == "passed"


def test_a_full_disk(classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="out: the disk is full") as caught:
        export_model(classifier_run, to="merged", out=tmp_path / "out")
    assert "--out FOLDER" in caught.value.fix[0]
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_the_form_cannot_hold(classifier_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gguf cannot hold a model of the task text-classification") as caught:
        export_model(classifier_run, to="gguf", out=tmp_path / "out")
    assert caught.value.expected == "a model of the task causal-lm or chat or preference"
    assert "--to merged or adapter or onnx" in caught.value.fix[0]


def test_no_such_form_and_no_such_precision(classifier_run: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no exporter of this name") as caught:
        export_model(classifier_run, to="ggml", out=tmp_path / "out")
    assert "see `tunesmith exporters list`" in caught.value.fix
    with pytest.raises(NotFoundError, match="merged has no such precision") as caught:
        export_model(classifier_run, to="merged", quantize="int8", out=tmp_path / "out")
    assert "merged keeps the weights as they are stored" in str(caught.value.expected)
    with pytest.raises(NotFoundError, match="onnx has no such precision") as caught:
        export_model(classifier_run, to="onnx", quantize="int4", out=tmp_path / "out")
    assert caught.value.expected == "int8"


def test_the_golden_set_of_the_run_is_what_counts(classifier_run: Path, tmp_path: Path) -> None:
    """Training wrote it: a model that changed since, with its digest, is found all the same."""
    shutil.copytree(classifier_run, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    file = run.path / "golden.json"
    content = json.loads(file.read_text())
    assert content["rows_from"] == "validation"
    content["rows"][0]["items"][0]["numbers"][0] += 0.1
    file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"golden\.json is not what it was"):
        export_model(run, to="merged", out=tmp_path / "out")

    run.update(artefacts=artefact_digests(run.path))
    with pytest.raises(ParityError, match="probabilities"):
        export_model(run, to="merged", out=tmp_path / "out")

    file.write_text('{"format": 7}')
    run.update(artefacts=artefact_digests(run.path))
    with pytest.raises(RunError, match=r"golden\.json cannot be used"):
        export_model(run, to="merged", out=tmp_path / "out")


def test_where_the_rows_are_gone_built_in_ones_do(classifier_run: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_run, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    (run.path / "golden.json").unlink()  # as in runs of earlier versions
    file = run.path / "recipe.yaml"
    file.write_text(file.read_text().replace("rows.csv", "gone.csv"))

    done = export_model(run, to="merged", out=tmp_path / "out")

    assert done.rows_from == "built-in"
    assert done.state == "passed"


def test_an_empty_golden_set_gives_way_to_rows_that_fit(lora_run: Path, tmp_path: Path) -> None:
    shutil.copytree(lora_run, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    content = json.loads((run.path / "golden.json").read_text()) | {"texts": []}
    (run.path / "golden.json").write_text(json.dumps(content))
    run.update(artefacts=artefact_digests(run.path))

    done = export_model(run, to="adapter", out=tmp_path / "out")

    assert done.rows_from == "train"
    assert [finding.detail for finding in done.findings if finding.name == "token ids"] == ["4 of 4 golden rows alike"]


def test_the_state_of_findings(tmp_path: Path) -> None:
    def state(*holds: bool | None) -> str:
        findings = tuple(Finding("x", one, "") for one in holds)
        return export.Export(tmp_path, "a/b", None, {}, findings, "test", ()).state

    assert (state(), state(True, None), state(True, False)) == ("not checked", "passed", "failed")
