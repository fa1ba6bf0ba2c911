# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A customer with a licensed copy of the package, rows, a model, and what one process makes of them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, Desk
from forge import PYTHON, Forge
from ray_double import Double, in_the_place_of_ray

import tunesmith_enterprise
from tunesmith.licensing import armor
from tunesmith.testing import tiny_bert
from tunesmith_enterprise.distributed.order import Order

FORKS = Path(__file__).with_name("forks.py")
PROGRAM = (sys.executable, "-m", "tunesmith_cli")


class Site:
    """The package as the vendor's desk makes it, on a machine of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.desk = folder, Desk()
        package = folder / "site" / "tunesmith_enterprise"
        source = Path(tunesmith_enterprise.__file__).parent
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__", "server"))
        self.desk.place(package / "placed")
        words = (("pear", "fruit"), ("zinc", "metal"))
        rows = [f"{word} {'very ' * (n % 7)}{n},{label}" for n in range(24) for word, label in words]
        (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
        tiny_bert(folder / "bert")
        config = folder / "bert" / "config.json"  # what dropout leaves out is another thing in every process
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config.write_text(json.dumps(json.loads(config.read_text()) | still))
        self.license()

    def license(self, **changes: object) -> None:
        """Install one that counts on the day of the test."""
        now = datetime.now(timezone.utc).replace(microsecond=0)
        spans = {"issued_at": now - DAY, "starts_at": now - DAY, "expires_at": now + 365 * DAY}
        file = self.folder / "config" / "tunesmith" / "licenses.d" / "own.lic"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(armor(self.desk.license(**(spans | changes))))

    def recipe(self, name: str = "recipe.yaml", **changes: Any) -> str:
        """A file in the folder; JSON is YAML."""
        job = {
            "task": "text-classification",
            "model": str(self.folder / "bert"),
            "data": {"train": "rows.csv", "split": {"test": 0.25, "validation": 0.25}},
            "train": {
                "max_steps": 6, "tokens_per_batch": 96, "precision": "fp32", "device": "cpu", "save_every": 2,
                "log_every": 1, "learning_rate": 1e-3,
            },
            "output": "run",
        }  # fmt: skip
        for key, value in changes.items():
            job[key] = {**job[key], **value} if isinstance(value, dict) else value  # type: ignore[dict-item]
        (self.folder / name).write_text(json.dumps(job))
        return name

    @property
    def environ(self) -> dict[str, str]:
        environ = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "site"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        environ.pop("CI", None)
        return environ

    def start(self, *args: str, **changes: str) -> subprocess.Popen[str]:
        """A command of ``tunesmith``."""
        return subprocess.Popen(
            [*PROGRAM, *args], cwd=self.folder, env=self.environ | changes, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *args: str, **changes: str) -> tuple[int, str, str]:
        """Exit code, output, errors of a command of ``tunesmith``."""
        process = self.start(*args, **changes)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


class Forks:
    """A process that has done the recipe alone, into ``one``, and forks one for every part that a test starts.

    It is a fork itself, for the time that importing takes.
    """

    def __init__(self, site: Site, forge: Forge) -> None:
        self.site = site
        self._process = subprocess.Popen(
            [str(forge.folder / PYTHON), str(FORKS), site.recipe("one.yaml", output="one")],
            cwd=site.folder, env=site.environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, parts: list[dict[str, Any]]) -> list[int]:
        """Start all parts at once; gives their exit codes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(parts) + "\n")
        self._process.stdin.flush()
        codes: list[int] = json.loads(self._process.stdout.readline())
        return codes

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Launched:
    """A job as `tunesmith launch` starts its processes, without the launcher."""

    def __init__(
        self,
        forks: Forks,
        recipe: str,
        *,
        name: str,
        resume: str = "",
        join_timeout: float = 30,
        sets: tuple[str, ...] = ("train.strategy=ddp",),
    ) -> None:
        self._forks, self._folder = forks, forks.site.folder / name
        self._folder.mkdir(exist_ok=True)
        self.order = Order(
            recipe=recipe, sets=sets, resume=resume, options=("--quiet",),
            folder=str(self._folder), join_timeout=join_timeout,
        )  # fmt: skip

    def run(self, processes: int, *, world: int = 0, each: dict[int, dict[str, Any]] | None = None) -> list[int]:
        """Gives what the launcher would see.

        Args:
            world: how many there should be. Default: as many as are started.
            each: what is different for a process, by rank; ``more`` is for its environment.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = self.order.write()
        parts = []
        for rank in range(processes):
            environ = {
                "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world or processes, "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo",
            }  # fmt: skip
            part = {"order": str(path), "out": str(self._folder / f"out-{rank}"), "environ": environ}
            part |= (each or {}).get(rank, {})
            environ.update(part.pop("more", {}))
            parts.append(part)
        return self._forks.run(parts)

    @property
    def code(self) -> int:
        """Of the job."""
        return int(self.order.outcome.read_text())

    @property
    def said(self) -> str:
        """By the main process, in one line."""
        return " ".join((self._folder / "out-0").read_text().split())

    def log(self, rank: int) -> str:
        return self.order.log(rank).read_text()


@pytest.fixture(scope="session")
def forks(site: Site, forge: Forge) -> Iterator[Forks]:
    one = Forks(site, forge)
    yield one
    one.end()


@pytest.fixture(scope="session")
def launched(forks: Forks) -> Callable[..., Launched]:
    return partial(Launched, forks)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Double:
    return in_the_place_of_ray(monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))
