# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith launch`` as people and schedulers type it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import Any

import pytest
from forge import PYTHON, Forge

from tunesmith_cli.main import main
from tunesmith_enterprise.distributed.generators.writing import write_job


@pytest.mark.skipif(os.name != "posix", reason="the script is of a shell")
def test_the_script_for_slurm_trains_on_two_nodes_and_the_core_alone_uses_what_they_made(
    site: Any, forge: Forge
) -> None:
    """All processes are forks, for the time; that they come up from their start is shown in test_two_hosts.py."""
    recipe = site.recipe("launched.yaml", output="launched", train={"max_steps": 2, "save_every": 2})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script, tools = site.folder / "job.sbatch", site.folder / "slurm-tools"
    write_job(
        "slurm", str(site.folder / recipe), sets=(), nodes=2, processes=1, arguments=["--logs=slurm-logs"],
        options=[f"port={port}"], out=script,
    )  # fmt: skip
    tools.mkdir()
    for name, body in {
        "scontrol": "printf '127.0.0.1\\n127.0.0.1\\n'",
        "srun": 'SLURM_NODEID=1 "$@" > node-1.txt 2>&1 & SLURM_NODEID=0 "$@"; wait $!',
        "tunesmith": f'exec {forge.folder / PYTHON} {site.folder / "forked.py"} "$@"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    # As a file, and not by -m: then the processes that it starts with its own Python are forks too.
    (site.folder / "forked.py").write_text("import sys\nfrom tunesmith_cli.main import main\nsys.exit(main())\n")
    environ = site.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_NODELIST": "x[1-2]", "SLURM_NNODES": "2",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", str(script)], cwd=site.folder, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "launched" in done.stdout
    run = json.loads((site.folder / "launched" / "run.json").read_text())
    (grant,) = run["allowed"]["enterprise"]["grants"]
    assert (grant["feature"], grant["quantities"]) == ("distributed", {"processes": 2, "nodes": 2})
    assert "(node 0) prints, and writes the run" in (site.folder / "node-1.txt").read_text()
    assert (
        f"{socket.gethostname()} process 1: INFO"
        in (site.folder / "slurm-logs" / "node-1" / "process-1.log").read_text()
    )

    (site.folder / "words.txt").write_text("a very fine pear\n")
    alone = site.environ | {"TUNESMITH_PLUGINS": ""}
    done = forge.tunesmith("predict", "launched", "words.txt", cwd=site.folder, env=alone)
    assert done.returncode == 0, done.stderr
    assert "fruit" in done.stdout or "metal" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a recipe file, or --resume RUN"),
        (("--resume", "run", "--set", "a=1"), "leave --set out"),
        (("r.yaml", "--nodes", "2"), "several machines need --rendezvous HOST:PORT"),
        (("r.yaml", "--nodes", "2", "--node-rank", "2"), "--node-rank 2 is none of --nodes 2: they are counted from 0"),
        (("r.yaml", "--nodes", "2", "--rendezvous", "a"), "--rendezvous a is not HOST:PORT, e.g. 10.0.0.1:29400"),
        (("r.yaml", "--nodes", "2", "--rendezvous", "a:99999"), "is not HOST:PORT"),
        (
            ("--resume", "run", "--strategy", "single"),
            "--strategy single is none for several processes: choose",
        ),
        (("r.yaml", "--out", "x"), "--out and --option go with --to"),
        (("--to", "slurm", "--resume", "run"), "--to needs a recipe file"),
    ],
)
def test_what_cannot_be_launched_is_told_before_anything_starts(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
