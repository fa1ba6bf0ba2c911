# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every test stands on: no network, no settings of the person at the keyboard, few threads."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from forge import Forge, of_all_workers

ROOT = Path(__file__).resolve().parents[1]

# Read by torch, tokenizers and huggingface_hub when they are first imported, hence before any fixture runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores; more threads only fight
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # where a test asks for two, the one that waits takes no core
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # forking after its threads have started prints a warning per test
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "compiled"))  # compiled once, not by each test
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = str(Path(tempfile.gettempdir()) / f"tunesmith-tests-no-hub-cache-{os.getpid()}")  # never made

LONG = (
    *("tests/packaging/test_template.py", "tests/e2e/test_commands.py", "tests/docs/test_pages.py"),
    "tests/core/training/test_compiling.py",
    *("tests/benchmarks/", "tests/core/export/test_onnx.py", "tests/cli/test_plugins_", "tests/e2e/"),
    *("tests/core/plugin/test_hook_pages.py", "tests/core/test_public.py"),
    *("tests/enterprise/distributed/test_two_hosts.py", "tests/enterprise/test_benchmarks.py"),
    *(
        "plugins/tunesmith-privacy/tests/test_d",
        "tests/enterprise/distributed/",
        "tests/enterprise/test_support_desk.py",
    ),
)
"""Where the longest tests are, as their ids begin."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Importing all tests and libraries makes a million objects that stay: nobody need look for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)  # behind pytest's own order, which brings together what shares a fixture
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``-n WORKERS --dist worksteal`` each worker begins with its part of the long tests.

    Each gets its share of the list as it stands, and in the end takes from the others: left to the end, a long test
    runs alone while nobody else has work. A file stays together, for its fixtures; pages share none.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    long: dict[tuple[int, str], list[pytest.Item]] = {}
    short = []
    for item in items:
        place = next((number for number, start in enumerate(LONG) if item.nodeid.startswith(start)), None)
        if place is None:
            short.append(item)
            continue
        page = item.nodeid.startswith("tests/docs/test_pages.py")
        long.setdefault((place, item.nodeid if page else item.nodeid.partition("::")[0]), []).append(item)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, key in enumerate(sorted(long, key=lambda key: key[0])):  # as they were, where the place is the same
        parts[number % workers] += long[key]
    share = len(items) // workers
    for part in parts:
        room = len(short) if part is parts[-1] else max(share - len(part), 0)
        part += short[:room]
        del short[:room]
    items[:] = [item for part in parts for item in part]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """``tunesmith`` and Python in processes of their own that need not import anything: see ``Forge``."""
    yield from of_all_workers(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real models and data beside the checkout; the test is skipped where they are not."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the models and data of ../shared, which are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget every ``TUNESMITH_…`` variable of the shell that started the tests."""
    for name in [name for name in os.environ if name.startswith("TUNESMITH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUNESMITH_CACHE", "off")  # and leave nothing in the cache of their home


def _stays_here(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True  # a socket file
    host = address[0]
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but loopback through: a test meets what a machine without network meets."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _stays_here(self.family, address):
            raise OSError(f"tests reach loopback only, not {address!r}")
        connect(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _stays_here(socket.AF_INET, (name,)):
            raise socket.gaierror(socket.EAI_NONAME, f"tests resolve loopback only, not {name!r}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
