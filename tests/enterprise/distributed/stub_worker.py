# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A process of a job that does what a test's script says, and no work: ``stub_worker.py SCRIPT ORDER``.

A script has, for each start of the job, what each process does: ``kill`` itself, at once or when the run is ``done``,
``hang`` in a step or in an ``evaluation``, ``wait``, end as one that ``lost`` another or that ``told`` why it ends, be
``asked`` to stop, or end with an exit code, on the main process also that of the job.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tunesmith_enterprise.distributed.pulse import Pulse, pulse_path


def job_ends(folder: Path, code: int) -> None:
    (folder / "outcome").write_text(str(code))
    sys.exit(0)


def asked(folder: Path) -> Any:
    return lambda *_: job_ends(folder, 130)


rank = int(os.environ["RANK"])
folder = Path(json.loads(Path(sys.argv[2]).read_text())["folder"])
start = int(os.environ["TORCHELASTIC_RUN_ID"].rpartition("-")[2])
part = json.loads(Path(sys.argv[1]).read_text())[start - 1][rank]
pulse = Pulse(pulse_path(folder, rank))
pulse.keep_alive(os.getppid())
pulse.begin_at(4)
pulse.begin_step()
if part == "done":  # but for saying so
    from tunesmith.runs import Run  # here: most of these processes end at once
    from tunesmith_enterprise.distributed.order import Order

    order = Order.read(Path(sys.argv[2]))
    Run.create(order.job().output, order.job()).update(status="finished")
    order.started.write_text(order.job().output)
if part in ("kill", "done"):
    os.kill(os.getpid(), signal.SIGKILL)
if part == "asked":
    signal.signal(signal.SIGINT, asked(folder))
if part == "wait":
    pulse.enter("a sum over all")
if part == "evaluation":
    pulse.evaluating()
if part in ("wait", "hang", "asked", "evaluation"):
    time.sleep(60)
if part == "lost":
    sys.exit(1)
if part == "told":
    why = f"process {rank} of 2 on here: the memory is used up\n  to do:    less"
    (folder / "told").write_text(json.dumps([4, why]))
    sys.exit(4)
if rank == 0:
    job_ends(folder, int(part))
sys.exit(int(part))
