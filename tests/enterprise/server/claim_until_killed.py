# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A server process without HTTP: takes and returns seats as fast as it can, and tells each one that it has."""

import asyncio
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from tunesmith.licensing import Trust
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.server.keys import read_key
from tunesmith_enterprise.server.refusals import Declined
from tunesmith_enterprise.server.seats import Claim
from tunesmith_enterprise.server.service import Service
from tunesmith_enterprise.server.storage import open_storage


def tell(event: str, lease: str, serial: int = 0) -> None:
    line = json.dumps({"event": event, "lease": lease, "serial": serial}) + "\n"
    os.write(1, line.encode())


async def node(service: Service, secret: object, number: int) -> None:
    name = f"node-{os.getpid()}-{number}"
    count = 0
    while True:
        count += 1
        try:
            lease = await service.claim(Claim(name, f"{name}-{count}", {"distributed": {}}))
        except Declined:
            await asyncio.sleep(0.002)
            continue
        tell("taken", lease.lease_id, lease.serial)
        if count % 4:
            await service.release(lease.lease_id, secret(lease.lease_id))
            tell("returned", lease.lease_id)


async def main(folder: Path, root: Path, now: datetime) -> None:
    key = read_key(folder)
    build = Build(Trust.start(root.read_bytes()), now, "0")
    service = Service(key, open_storage(folder / "seats.db"), [folder / "pool.lic"], build=build, now=lambda: now)
    # What the one before left behind is given back, or five rounds would fill the pool.
    with service._storage.transaction() as transaction:
        held = transaction.connection.exec_driver_sql("SELECT lease_id FROM leases WHERE state = 'live'").all()
    for row in held:
        await service.release(row.lease_id, key.secret(row.lease_id))
        tell("returned", row.lease_id)
    await asyncio.gather(*(node(service, key.secret, number) for number in range(8)))


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), datetime.fromtimestamp(float(sys.argv[3]), timezone.utc)))
