# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/examples/support_desk: the product is started in a process of its own, with a license for it, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from desk import DAY, Desk
from forge import PYTHON, Forge
from sealing_runs import a_trained_run

import tunesmith_enterprise
from tunesmith.licensing import armor
from tunesmith.licensing.contents import Binding
from tunesmith_enterprise.governance.sealing import create_key_file

pytest.importorskip("fastapi", reason="needs the extra serve")


class Shop:
    """A customer of the maker's: the product, with the package as the vendor builds it."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self.folder, self.desk, self._python = folder, Desk(), forge.folder / PYTHON
        package = folder / "site" / "tunesmith_enterprise"
        source = Path(tunesmith_enterprise.__file__).parent
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__", "server"))
        self.desk.place(package / "placed")
        self.port, self._log = 0, folder / "log"

    def license(self, **changes: object) -> Path:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        terms: dict[str, object] = {
            "issued_at": now - DAY, "starts_at": now - DAY, "expires_at": now + 365 * DAY,
            "features": {"governance": {}}, "binding": Binding("oem", ("helpdesk",)),
        }  # fmt: skip
        path = self.folder / "helpdesk.lic"
        path.write_text(armor(self.desk.license(**(terms | changes))))
        return path

    @contextmanager
    def open(self, root: Path, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        """The product while it runs; then it is asked to end, and has to."""
        program = root / "docs" / "examples" / "support_desk" / "support_desk.py"
        command = [str(self._python), str(program), "--folder", "desk", "--model", "run", "--rows", "rows.jsonl"]
        environ = os.environ | {
            "PYTHONPATH": str(self.folder / "site"), "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"), "TUNESMITH_CACHE": "off", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        with self._log.open("wb") as log:
            process = subprocess.Popen([*command, "--port", "0", *args], cwd=self.folder, env=environ, stderr=log)
        try:
            self.port = int(self._told(process, r"running on http://127\.0\.0\.1:(\d+)"))
            yield process
            process.terminate()
            assert process.wait(timeout=60) in (0, -15), self._log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _told(self, process: subprocess.Popen[bytes], form: str) -> str:
        for _ in range(1200):
            found = re.search(form, self._log.read_text())
            if found:
                return found[1]
            assert process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        request.method = method
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def learned(self) -> Any:
        for _ in range(1200):
            _, told = self.ask("GET", "/learning")
            if told["status"] != "running" or "Traceback" in self._log.read_text():
                return told
            time.sleep(0.1)
        raise AssertionError(told)


@pytest.mark.skipif(sys.platform != "linux", reason="sealed models are opened in memory on Linux")
@pytest.mark.timeout(600)
def test_the_product_answers_learns_keeps_its_models_sealed_and_starts_again(
    tmp_path: Path, root: Path, forge: Forge
) -> None:
    shop = Shop(a_trained_run(tmp_path), forge)
    key = tmp_path / "seal.key"
    create_key_file(key)
    settings = tmp_path / "config" / "tunesmith" / "tunesmith.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f'[plugins.enterprise]\nseal_keys = ["{key}"]\n')
    licensed = str(shop.license())

    with shop.open(root, "--license", licensed):
        code, said = shop.ask("GET", "/license")
        assert (code, said["state"], said["messages"]) == (200, "valid", [])
        for number in range(1, 9):
            code, said = shop.ask("POST", "/tickets", {"text": f"a plum, number {number}"})
            assert (code, said["id"]) == (200, number)
            assert said["label"] in ("fruit", "metal")
            assert 0.5 <= said["probability"] <= 1
            assert shop.ask("PUT", f"/tickets/{number}", {"label": "fruit"})[0] == 200
        assert shop.ask("PUT", "/tickets/99", {"label": "fruit"}) == (404, {"detail": "there is no ticket 99"})
        assert shop.ask("POST", "/tickets", {"text": 7})[0] == 422
        assert shop.ask("POST", "/learning")[0] == 202
        assert shop.ask("POST", "/tickets", {"text": "answered while it learns"})[0] == 200
        told = shop.learned()
        assert (told["status"], told["error"]) == ("finished", "")
        assert told["step"] == told["steps"] > 1
        assert told["model"].startswith("enterprise/sealed:")
        run = tmp_path / told["model"].removeprefix("enterprise/sealed:")
        assert not [path for path in (run / "model").iterdir() if path.suffix != ".sealed"]
        assert json.loads((run / "run.json").read_text())["data"]["files"][1]["rows"] == 8
        _, learned = shop.ask("POST", "/tickets", {"text": "zinc"})
        code, said = shop.ask("POST", "/export", {"to": "merged"})
        assert code == 200, said
        assert (tmp_path / said["folder"] / "model.safetensors").is_file()
        assert shop.ask("POST", "/export", {"to": "merged"})[0] == 400  # nothing is overwritten

    # The license ends: what was made is used as before, and the product says what there is to say.
    now = datetime.now(timezone.utc).replace(microsecond=0)
    shop.license(starts_at=now - 400 * DAY, issued_at=now - 400 * DAY, expires_at=now - 100 * DAY)
    with shop.open(root, "--license", licensed):
        code, said = shop.ask("GET", "/license")
        assert said["state"] == "expired"
        assert [one["code"] for one in said["messages"]]
        again = shop.ask("POST", "/tickets", {"text": "zinc"})[1]
        assert (again["label"], again["probability"]) == (learned["label"], learned["probability"])

    # What can never count is refused before anything begins.
    Path(licensed).write_text(armor(Desk().license(binding=Binding("oem", ("helpdesk",)))))  # of somebody else
    with pytest.raises(AssertionError), shop.open(root, "--license", licensed) as process:
        pytest.fail(f"it runs: {process.pid}")
    said = (tmp_path / "log").read_text()
    assert "expected:" in said
    assert "Traceback" not in said


@pytest.fixture
def product(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(root / "docs" / "examples" / "support_desk"))
    return import_module("support_desk")


def test_of_requests_to_learn_that_come_at_the_same_time_one_begins(
    product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(threading.Thread):
        def start(self) -> None:
            time.sleep(0.05)  # until then it is not alive
            super().start()

    learning, done = product.Learning(), threading.Event()
    with ThreadPoolExecutor(4) as callers:  # with threads of the usual kind
        list(callers.map(lambda _: time.sleep(0.01), range(4)))
        monkeypatch.setattr(product.threading, "Thread", Slow)
        begun = list(callers.map(lambda _: learning.begin(lambda *_: done.wait(10)), range(4)))
    done.set()
    learning.end()
    assert begun.count(True) == 1
    assert learning.told()["status"] == "finished"


def test_a_run_that_was_removed_leaves_the_names_of_the_others_alone(product: Any, tmp_path: Path) -> None:
    store = product.Store(tmp_path)
    for name in ("0002", "0003", ".removed-0001"):
        (tmp_path / "runs" / name).mkdir()
    assert store.next_run().name == "0004"


def test_a_new_model_that_does_not_open_leaves_the_one_that_answers(
    product: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: str, **_: Any) -> Any:
        raise product.TunesmithError(f"{model} is damaged")

    monkeypatch.setattr(product, "train", lambda *_, **__: None)
    monkeypatch.setattr(product, "open_engine", broken)
    desk = product.Desk(product.Store(tmp_path), product.Plan(), "base", ["rows.jsonl"])
    with pytest.raises(product.TunesmithError, match="0001 is damaged"):
        desk.learn(lambda _: None, threading.Event())
    assert desk.model == "base"
