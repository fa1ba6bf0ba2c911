# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith launch``: a recipe on several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith_enterprise.distributed.hooks import STRATEGIES

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def launch(
    ctx: typer.Context,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.", show_default=False)
    ] = None,
    processes: Annotated[int, typer.Option("--nproc", min=1, help="How many processes on this machine.")] = 2,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value, e.g. train.epochs=3. Repeatable."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="ddp, fsdp, hsdp or tp; with --resume: go on with another.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines; the same command on each.")] = 1,
    node_rank: Annotated[int, typer.Option(min=0, help="Which of them this is; 0 prints, and writes the run.")] = 0,
    rendezvous: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where they meet: the machine 0, and a free port of it.")
    ] = None,
    interface: Annotated[
        str | None, typer.Option(metavar="NAME", help="Network interface. Default: the one that leads to machine 0.")
    ] = None,
    max_restarts: Annotated[int, typer.Option(min=0, help="How often to start again when something is lost.")] = 3,
    hang_timeout: Annotated[float, typer.Option(min=1, help="Seconds after which a process hangs.")] = 600.0,
    node_timeout: Annotated[float, typer.Option(min=1, help="Seconds after which a silent machine is lost.")] = 60.0,
    join_timeout: Annotated[float, typer.Option(min=1, help="Seconds for all to come together.")] = 300.0,
    logs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep what the other processes print. Default: only when the job fails."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="slurm|kubernetes", help="Start nothing: write what a cluster starts.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --to: where. Default: standard output.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="With --to: e.g. partition=gpu, time=12:00:00. Repeatable."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="auto|local|HOST:PORT", help="Start them on this Ray cluster; --nproc counts all of them."
        ),
    ] = None,
    ray_cpus: Annotated[int, typer.Option(min=1, help="With --ray: processors for each process.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the job seems to need more memory than there is.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")] = False,
) -> None:
    """Train on several processes, of one machine or several, to the same result as in one.

    The first process prints and writes what `tunesmith train` does. Ctrl-C saves and stops them all. When a process or
    a machine is lost, all start again from the last checkpoint.
    """
    if (recipe is None) == (resume is None):
        ctx.fail("give a recipe file, or --resume RUN")
    if resume is not None and sets:
        ctx.fail("a resumed run goes on with its own recipe; leave --set out")
    if strategy is not None and strategy not in STRATEGIES:
        ctx.fail(f"--strategy {strategy} is none for several processes: choose one of {', '.join(STRATEGIES)}")
    if strategy is not None and resume is None:
        sets = [*(sets or ()), f"train.strategy={strategy}"]
    switches = {"--force": force, "--quiet": quiet, "--json": json}
    if to is not None:
        if recipe is None:
            ctx.fail("--to needs a recipe file")
        if ray is not None:
            ctx.fail("--to only writes what a cluster starts, and --ray starts the processes: leave one of them out")
        from tunesmith_enterprise.distributed.generators.writing import write_job

        given = {"--max-restarts": (max_restarts, 3), "--hang-timeout": (hang_timeout, 600.0)}
        given |= {"--node-timeout": (node_timeout, 60.0), "--join-timeout": (join_timeout, 300.0)}
        arguments = [f"{name}={value:.15g}" for name, (value, usual) in given.items() if value != usual]
        arguments += [name for name, wanted in switches.items() if wanted]
        arguments += [] if logs is None else [f"--logs={logs}"]
        write_job(
            to, str(recipe), sets=sets or (), nodes=nodes, processes=processes, arguments=arguments,
            options=options or (), out=out,
        )  # fmt: skip
        return
    if out is not None or options:
        ctx.fail("--out and --option go with --to")
    if ray is not None and (nodes > 1 or node_rank or rendezvous is not None or interface is not None):
        ctx.fail("with --ray, Ray chooses the machines: leave --nodes, --node-rank, --rendezvous and --interface out")
    host, port = _meeting_place(ctx, rendezvous, nodes, node_rank)
    if strategy is not None and resume is not None and node_rank == 0:
        from tunesmith.registry import get_registry
        from tunesmith.runs import Run
        from tunesmith.training.moving import move_run

        move_run(Run.open(resume), strategy, get_registry())
    from tunesmith_enterprise.distributed.launching import Patience
    from tunesmith_enterprise.distributed.launching import launch as start
    from tunesmith_enterprise.distributed.meeting import Place
    from tunesmith_enterprise.distributed.order import Order

    order = Order(
        recipe="" if recipe is None else str(recipe),
        sets=tuple(sets or ()),
        resume="" if resume is None else str(resume),
        options=tuple(name for name, wanted in switches.items() if wanted),
        folder="" if logs is None else str(logs),
        join_timeout=join_timeout,
    )
    if ray is not None:
        from tunesmith_enterprise.distributed.ray_launching import Cluster, launch_on_ray

        cluster = Cluster(
            address=ray, processes=processes, cpus=ray_cpus, max_restarts=max_restarts, hang_timeout=hang_timeout
        )
        raise typer.Exit(launch_on_ray(order, cluster))
    place = Place(node=node_rank, nodes=nodes, processes=processes, host=host, port=port)
    patience = Patience(hang_timeout=hang_timeout, node_timeout=node_timeout, max_restarts=max_restarts)
    raise typer.Exit(start(order, place=place, patience=patience, interface=interface or ""))


def _meeting_place(ctx: typer.Context, rendezvous: str | None, nodes: int, node_rank: int) -> tuple[str, int]:
    if node_rank >= nodes:
        ctx.fail(f"--node-rank {node_rank} is none of --nodes {nodes}: they are counted from 0")
    if rendezvous is None:
        if nodes > 1:
            ctx.fail("several machines need --rendezvous HOST:PORT: the machine 0 as all can reach it, and a free port")
        return "127.0.0.1", 0
    host, _, port = rendezvous.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        ctx.fail(f"--rendezvous {rendezvous} is not HOST:PORT, e.g. 10.0.0.1:29400")
    return host.strip("[]"), int(port)
