# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith export`: what it prints, what it leaves, and how it ends when it goes wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tunesmith.export.folders import Merged
from tunesmith.testing import tiny_llama
from tunesmith_cli.main import main


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_llama(tmp_path / "model")


def test_what_is_printed(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(model), "--to", "merged", "--out", str(out)]) == 0

    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["check", "outcome", "found"]
    assert lines[2].startswith("token ids")
    assert "4 of 4 golden rows alike" in lines[2]
    assert "holds" in lines[2]
    assert f"exported     {out}" in lines
    assert "check        passed" in lines
    assert "golden rows  built-in" in lines
    assert printed.err == ""
    assert (out / "export.json").is_file()


def test_as_json(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(model), "--to", "merged", "--out", str(out), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(out)
    assert told["to"] == "tunesmith/merged"
    assert told["state"] == "passed"
    assert told["files"]["model.safetensors"].startswith("sha256:")
    assert [one["name"] for one in told["findings"]] == [
        "rendering",
        "token ids",
        "greedy tokens",
        "log-probabilities",
    ]


def test_a_failed_check_ends_with_3_unless_it_is_not_wanted(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Merged.write

    def other(self: Merged, subject: object, folder: Path, quantize: str | None) -> None:
        write(self, subject, folder, quantize)  # type: ignore[arg-type]
        weights = tiny_llama(tmp_path / f"other-{os.urandom(4).hex()}", seed=1) / "model.safetensors"
        (folder / "model.safetensors").write_bytes(weights.read_bytes())

    monkeypatch.setattr(Merged, "write", other)
    args = ["export", str(model), "--to", "merged", "--out", str(tmp_path / "out")]
    assert main(args) == 3
    told = capsys.readouterr()
    assert "error: the export to merged does not answer as the model does; nothing was kept" in told.err
    assert "or keep it as it is: --no-check" in told.err
    assert not (tmp_path / "out").exists()

    assert main([*args, "--no-check"]) == 0
    assert "check     not checked" in capsys.readouterr().out


def test_wrong_input(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(model), "--to", "ggufs", "--out", str(tmp_path / "out")]) == 2
    assert "did you mean 'gguf'?" in capsys.readouterr().err
    assert main(["export", str(model), "--to", "onnx", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "onnx cannot hold a model of the task chat" in told
    assert "export it --to merged or adapter or gguf" in told
    assert main(["export", str(model), "--to", "merged"]) == 2


def test_the_list_of_exporters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exporters", "list", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(listed) == ["merged", "adapter", "gguf", "onnx"]
    assert listed["gguf"]["quantize"] == "int8, int4"
    assert listed["onnx"]["tasks"].startswith("text-classification")
