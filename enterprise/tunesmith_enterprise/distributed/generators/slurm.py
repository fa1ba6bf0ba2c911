# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A batch script for Slurm: one launcher on each machine, which meet on the first one."""

from __future__ import annotations

import shlex
from typing import Final

from tunesmith_enterprise.distributed.generators.asked import Asked

__all__ = ["OPTIONS", "sbatch_script"]

_DIRECTIVES: Final = {
    "name": "job-name",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "reservation": "reservation",
    "constraint": "constraint",
    "time": "time",
    "gpus": "gpus-per-node",
    "cpus": "cpus-per-task",
    "memory": "mem",
}
OPTIONS: Final = {
    "name": "of the job; tunesmith",
    "partition": "where it runs",
    "account": "who pays",
    "qos": "quality of service",
    "reservation": "of nodes",
    "constraint": "features that nodes must have",
    "time": "limit, e.g. 12:00:00",
    "gpus": "on each node",
    "cpus": "on each node",
    "memory": "on each node, e.g. 200G",
    "port": "of the first node, where the launchers meet; 29400",
    "interface": "network interface between nodes",
    "license": "a license file that every node sees",
    "setup": "a line of shell before anything starts, e.g. source /opt/tunesmith/bin/activate",
    "container-image": "with the pyxis plugin of Slurm",
    "container-mounts": "of the container, e.g. /data:/data",
}
"""Names, and what each is, with its default."""
_DEFAULTS: Final = {"name": "tunesmith"}
_NOTICE: Final = 120
"""Seconds before the time limit at which the job is asked to save and stop."""


def sbatch_script(asked: Asked) -> str:
    """The text of it."""
    options = {**_DEFAULTS, **asked.options}
    parts = [*_head(asked, options), "", *_body(asked, options)]
    return "\n".join(parts) + "\n"


def _head(asked: Asked, options: dict[str, str]) -> list[str]:
    directives = [f"#SBATCH --{flag}={options[name]}" for name, flag in _DIRECTIVES.items() if name in options]
    return [
        "#!/bin/bash",
        f"# {asked.processes * asked.nodes} processes on {asked.nodes} "
        f"{'node' if asked.nodes == 1 else 'nodes'}, by `tunesmith launch`. Start it: sbatch THIS_FILE",
        *directives,
        f"#SBATCH --nodes={asked.nodes}",
        "#SBATCH --ntasks-per-node=1 # one launcher, which starts the processes of its node",
        "#SBATCH --output=%x-%j.log",
        f"#SBATCH --signal=TERM@{_NOTICE} # before the time is up: save and stop",
        "#SBATCH --requeue # a job that is started again goes on with its run",
        "#SBATCH --open-mode=append",
    ]


def _body(asked: Asked, options: dict[str, str]) -> list[str]:
    lines = ["set -euo pipefail"]
    if "setup" in options:
        lines.append(options["setup"])
    if "license" in options:
        lines += [
            "",
            "# The license stays in its file.",
            f"export TUNESMITH_LICENSE_FILE={_quoted(options['license'])}",
        ]
    new = [asked.recipe, *(f"--set={one}" for one in asked.sets)]
    return [
        *lines,
        "",
        "# The launchers meet on the first node.",
        'main=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        "",
        f"what=({_quoted(*new)})",
        f'if [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] && [ -e {_quoted(asked.output + "/run.json")} ]; then',
        f"    what=(--resume {_quoted(asked.output)})",
        "fi",
        "",
        "# $0 of the inner shell is where they meet; each node has its own number.",
        f"srun {_container(options)}bash -c '",
        f'    exec tunesmith launch --nodes "$SLURM_NNODES" --node-rank "$SLURM_NODEID" --nproc {asked.processes} \\',
        f'        --rendezvous "$0"{_more(asked, options)} "$@"',
        f'\' "$main:{options.get("port", "29400")}" "${{what[@]}}"',
    ]


def _container(options: dict[str, str]) -> str:
    names = ("container-image", "container-mounts")
    return "".join(f"--{name}={_quoted(options[name])} " for name in names if name in options)


def _more(asked: Asked, options: dict[str, str]) -> str:
    more = list(asked.arguments)
    if "interface" in options:
        more += ["--interface", options["interface"]]
    # They stand between the single quotes of the inner shell, and a quote of their own would end those.
    return "".join(" " + _quoted(one).replace("'", "'\\''") for one in more)


def _quoted(*texts: str) -> str:
    return " ".join(shlex.quote(text) for text in texts)
