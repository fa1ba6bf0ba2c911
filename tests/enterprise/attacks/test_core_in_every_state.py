# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Row 33: what the core does is the same with every license and with none, and nobody is asked for one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from desk import DAY, NOW
from licensed import Machine, a_machine

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.registry import Registry
from tunesmith.testing import tiny_bert
from tunesmith_enterprise import plugin
from tunesmith_enterprise.entitlement import gathering

STATES: dict[str, Callable[[Machine], None]] = {
    "none": Machine.delete,
    "valid": lambda machine: None,
    "expired": Machine.expire,
    "corrupt": Machine.corrupt,
    "revoked": Machine.revoke,
    "upcoming": lambda machine: machine.install(starts_at=NOW + 90 * DAY),
    "another's": lambda machine: machine.install(signer=machine.desk.revoker),
    "a folder in its place": lambda machine: (machine.delete(), machine.license_file.mkdir())[0],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [f"{word} {n},{label}" for n in range(8) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    return folder


def made(place: Path, out: Path) -> tuple[bytes, object, list[object]]:
    """A job of the core's, from its data to an answer of its model."""
    run = tunesmith.train(
        tunesmith.parse_recipe(
            {
                "task": "text-classification",
                "model": str(place / "bert"),
                "data": {"train": str(place / "rows.csv"), "split": {"test": 0.25}},
                "train": {"max_steps": 2, "rows_per_batch": 4, "precision": "fp32"},
                "output": str(out),
            }
        )
    )
    weights = (run.path / "model" / "model.safetensors").read_bytes()
    assert "allowed" not in run.manifest or not run.manifest["allowed"]
    return weights, run.manifest["metrics"], run.manifest["status"]


def use(monkeypatch: pytest.MonkeyPatch, *candidates: Candidate) -> None:
    process = Host(list(candidates), environ={})
    assert {record.status for record in process.records} == {"ok"}
    monkeypatch.setattr(host, "_host", process)
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(process))


@pytest.fixture(scope="module")
def alone(place: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch)
        return made(place, tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("state", STATES)
def test_a_job_of_the_core_is_the_same_in_every_state_of_a_license(
    state: str, place: Path, alone: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = a_machine(tmp_path, monkeypatch)
    machine.settings("")  # no licensed feature is asked for
    STATES[state](machine)
    enterprise = Candidate(
        name="enterprise", distribution="tunesmith-enterprise", version="0.1.0", target=__name__, load=lambda: plugin
    )
    use(monkeypatch, enterprise)
    looked = []
    monkeypatch.setattr(gathering, "find_texts", lambda *given, **more: looked.append(given))
    assert made(place, tmp_path / "run") == alone
    assert (machine.asked, looked) == ([], [])
