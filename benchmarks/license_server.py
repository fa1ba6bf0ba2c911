# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Renewals a second of the license server, over HTTP, with SQLite on this disk.

    python benchmarks/license_server.py [--nodes 16] [--seconds 10] [--core 0] [--json]

One server process, on one core if ``--core`` names one (Linux), and one process of clients. Each node holds a lease on
a connection of its own and renews it again as soon as it has the answer: far more than real nodes do, which renew three
times in the term of a lease. Every renewal is committed to the disk (``synchronous=FULL``) and signed before it is
answered; the clients check that it is for them and that serials rise, not each signature.

``--rate N`` spreads N renewals a second evenly instead, as many nodes would: then the times are those of a server that
is not overrun.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

FOLDER = "TUNESMITH_BENCHMARK_FOLDER"
LEASE = b'"lease":"'


def serve() -> None:
    """In a process of its own: a server with a vendor that exists for this run only."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tunesmith.licensing import PublicKey, Trust, armor, sign
    from tunesmith.licensing.contents import Licensee, Pool
    from tunesmith_enterprise.entitlement.build import PRODUCT, Build
    from tunesmith_enterprise.server.keys import make_key, read_key
    from tunesmith_enterprise.server.running import Listening, run
    from tunesmith_enterprise.server.service import Service
    from tunesmith_enterprise.server.storage import DATABASE, open_storage

    folder = Path(os.environ[FOLDER])
    make_key(folder)
    key = read_key(folder)
    vendor = [Ed25519PrivateKey.generate() for _ in range(3)]
    names = ("root", "issuer", "revocation")
    roles = {name: {"threshold": 1, "keys": [PublicKey.of(one).text]} for name, one in zip(names, vendor, strict=True)}
    root = json.dumps({"schema": 1, "version": 1, "expires": "2099-01-01T00:00:00Z", "roles": roles}).encode()
    now = datetime.now(timezone.utc)
    pool = Pool(
        product=PRODUCT,
        pool_id="benchmark",
        serial=1,
        licensee=Licensee("Benchmark", "benchmark"),
        edition="Enterprise",
        environment="production",
        features={"distributed": {"gpus": 1_000_000}},
        server_key=key.public,
        seats=100_000,
        lease_seconds=600,
        offline_hours=24,
        borrow_days=0,
        issued_at=now,
        starts_at=now - timedelta(days=1),
    )
    (folder / "pool.lic").write_text(armor(sign(pool.payload(), "pool", [vendor[1]])))
    build = Build(Trust.start(sign(root, "root", [vendor[0]])), now, "0")
    service = Service(key, open_storage(folder / DATABASE), [folder / "pool.lic"], build=build)
    run(service, Listening(port=0), announce=lambda address: print(address, flush=True))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: str, secret: str) -> bytes:
    """One request on an open connection, and the body of its answer."""
    headers = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ntunesmith-lease-secret: {secret}\r\n"
    writer.write(f"{headers}content-length: {len(body)}\r\n\r\n{body}".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    assert found is not None, head
    content = await reader.readexactly(int(found[1]))
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(content.decode())
    return content


async def node(
    number: int, host: str, port: int, until: float, start: float, pause: float | None, times: list[float]
) -> None:
    """One node: takes a lease and renews it until the end."""
    reader, writer = await asyncio.open_connection(host, port)
    name = f"node-{number}"
    features = '{"distributed":{"gpus":1}}'
    taken = json.loads(
        await ask(
            reader,
            writer,
            "/v1/leases",
            f'{{"node":"{name}","nonce":"{secrets.token_hex(16)}","features":{features}}}',
            "",
        )
    )
    path = f"/v1/leases/{taken['id']}/renew"
    turn = start if pause is None else start + pause * secrets.randbelow(1000) / 1000
    await asyncio.sleep(max(0.0, turn - time.perf_counter()))
    while time.perf_counter() < until:
        asked = time.perf_counter() if pause is None else turn
        answer = await ask(reader, writer, path, f'{{"nonce":"{secrets.token_hex(16)}"}}', taken["secret"])
        times.append(time.perf_counter() - asked)
        if LEASE not in answer or taken["id"].encode() not in answer:
            raise RuntimeError(f"no lease of {name}: {answer[:200]!r}")
        if pause is not None:
            turn += pause
            await asyncio.sleep(max(0.0, turn - time.perf_counter()))
    writer.close()


async def load(host: str, port: int, nodes: int, seconds: float, rate: float | None) -> dict[str, float]:
    times: list[float] = []
    start = time.perf_counter() + 0.5 + nodes * 0.01
    pause = None if rate is None else nodes / rate
    await asyncio.gather(*(node(one, host, port, start + seconds, start, pause, times) for one in range(nodes)))
    spent = time.perf_counter() - start
    times.sort()

    def part(share: float) -> float:
        return round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 2)

    return {
        "nodes": nodes,
        "renewals": len(times),
        "renewals_per_second": round(len(times) / spent, 1),
        "p50_ms": part(0.5),
        "p95_ms": part(0.95),
        "p99_ms": part(0.99),
        "most_ms": round(times[-1] * 1000, 2),
    }


def processor_seconds(process: int) -> float:
    """That a process has spent, where the system tells (Linux); otherwise 0."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.is_file():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(nodes: int, seconds: float, core: int | None, rate: float | None) -> dict[str, float]:
    """Figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        pin = [] if core is None else ["taskset", "-c", str(core)]
        server = subprocess.Popen(
            [*pin, sys.executable, __file__, "--serve"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {FOLDER: folder},
        )
        try:
            assert server.stdout is not None
            host, _, port = server.stdout.readline().strip().removeprefix("http://").rpartition(":")
            if not host:
                raise RuntimeError("the server did not start")
            before = processor_seconds(server.pid)
            figures = asyncio.run(load(host, int(port), nodes, seconds, rate))
            spent = processor_seconds(server.pid) - before
            if spent:
                figures["server_ms_each"] = round(spent / max(1, figures["renewals"]) * 1000, 3)
            return figures
        finally:
            server.terminate()
            server.wait(20)
            if server.stdout is not None:
                server.stdout.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=16, help="leases that are renewed at the same time")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--core", type=int, help="the only processor core of the server")
    parser.add_argument("--rate", type=float, help="renewals a second; without: as many as there can be")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve()
        return
    figures = measure(options.nodes, options.seconds, options.core, options.rate)
    print(json.dumps(figures) if options.json else "\n".join(f"{name:20} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
