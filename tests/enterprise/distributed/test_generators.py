# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What `tunesmith launch --to` writes: read as its scheduler reads it, and run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunesmith.errors import RecipeError, TunesmithError
from tunesmith_cli.main import main
from tunesmith_enterprise.distributed.generators.writing import write_job

RECIPE = {
    "task": "text-classification", "model": "bert", "data": {"train": "rows.csv"}, "output": "runs/it's mine",
}  # fmt: skip
FAKES = {
    "scontrol": 'echo "$3" | tr , "\\n"',  # scontrol show hostnames a,b
    "srun": 'for node in 0 1; do SLURM_NODEID=$node "$@" & done; wait',
    "tunesmith": 'printf "%s\\n" "$TUNESMITH_LICENSE_FILE" "$@" > "node-$SLURM_NODEID.txt"',
}


def fakes(folder: Path, **others: str) -> str:
    """A PATH with commands that do as if."""
    tools = folder / "tools"
    tools.mkdir()
    for name, body in {**FAKES, **others}.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    return f"{tools}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE))
    return tmp_path


def written(target: str, folder: Path, *options: str, sets: tuple[str, ...] = (), **more: Any) -> str:
    asked: dict[str, Any] = {"nodes": 2, "processes": 4, "arguments": ["--quiet"], **more}
    write_job(target, "recipe.yaml", sets=sets, options=options, out=folder / "job", **asked)
    return (folder / "job").read_text()


def run(script: str, path: str, **environ: str) -> None:
    environ = {**os.environ, "PATH": path, "SLURM_JOB_NODELIST": "first,second", "SLURM_NNODES": "2", **environ}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_batch_script_says_what_slurm_is_asked_for(folder: Path) -> None:
    text = written("slurm", folder, "partition=gpu", "account=lab", "time=12:00:00", "gpus=4", "name=mine", "memory=1T")
    directives = [line.split(" # ")[0] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert directives == [
        "#SBATCH --job-name=mine", "#SBATCH --partition=gpu", "#SBATCH --account=lab", "#SBATCH --time=12:00:00",
        "#SBATCH --gpus-per-node=4", "#SBATCH --mem=1T", "#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=1",
        "#SBATCH --output=%x-%j.log", "#SBATCH --signal=TERM@120", "#SBATCH --requeue", "#SBATCH --open-mode=append",
    ]  # fmt: skip


def test_the_batch_script_starts_a_launcher_on_every_node(folder: Path) -> None:
    script = written(
        "slurm", folder, "license=/shared/our license.lic", "interface=ib0", "setup=export READY=yes",
        sets=("train.epochs=3", "output=it's"),
    )  # fmt: skip
    run(script, fakes(folder))
    for node in "01":
        told = (folder / f"node-{node}.txt").read_text().splitlines()
        assert told == [
            "/shared/our license.lic", "launch", "--nodes", "2", "--node-rank", node, "--nproc", "4", "--rendezvous",
            "first:29400", "--quiet", "--interface", "ib0", "recipe.yaml", "--set=train.epochs=3", "--set=output=it's",
        ]  # fmt: skip


def test_a_job_that_slurm_starts_again_goes_on_with_its_run(folder: Path) -> None:
    script, path = written("slurm", folder), fakes(folder)
    environ = {"TUNESMITH_LICENSE_FILE": "", "SLURM_RESTART_COUNT": "1"}
    run(script, path, **environ)
    assert (folder / "node-1.txt").read_text().splitlines()[-1] == "recipe.yaml"
    (folder / RECIPE["output"]).mkdir(parents=True)  # type: ignore[arg-type]
    (folder / RECIPE["output"] / "run.json").touch()  # type: ignore[operator]
    run(script, path, **environ)
    assert (folder / "node-1.txt").read_text().splitlines()[-2:] == ["--resume", RECIPE["output"]]


def test_a_container_is_asked_of_srun(folder: Path) -> None:
    script = written("slurm", folder, "container-image=a/b:1", "container-mounts=/data:/data")
    assert "srun --container-image=a/b:1 --container-mounts=/data:/data bash -c '" in script


def manifest(folder: Path, *options: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    config, job_set = yaml.safe_load_all(written("kubernetes", folder, "image=tunesmith:1", *options, **more))
    return config, job_set


def test_the_manifest_is_a_recipe_and_a_job_set(folder: Path) -> None:
    config, job_set = manifest(folder, "name=mine", "namespace=lab", "queue=team")
    assert (config["kind"], config["metadata"]) == ("ConfigMap", {"name": "mine-recipe", "namespace": "lab"})
    assert json.loads(config["data"]["recipe.yaml"]) == RECIPE
    assert (job_set["apiVersion"], job_set["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert job_set["metadata"] == {
        "name": "mine", "namespace": "lab", "labels": {"kueue.x-k8s.io/queue-name": "team"},
    }  # fmt: skip
    assert job_set["spec"]["network"] == {"enableDNSHostnames": True, "publishNotReadyAddresses": True}
    ((replicated),) = job_set["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    assert (replicated["replicas"], job["parallelism"], job["completions"]) == (1, 2, 2)
    assert (job["completionMode"], job["backoffLimit"]) == ("Indexed", 0)
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # what podFailurePolicy needs


def pod_of(job_set: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job_set["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    return found


def test_the_license_is_mounted_and_not_in_the_manifest(folder: Path) -> None:
    _, job_set = manifest(folder, "license=ours")
    pod = pod_of(job_set)
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["license"]["secret"] == {"secretName": "ours", "defaultMode": 0o400}
    assert volumes["recipe"]["configMap"] == {"name": "tunesmith-recipe"}
    (container,) = pod["containers"]
    assert container["env"] == [{"name": "TUNESMITH_LICENSE_FILE", "value": "/etc/tunesmith-license/license"}]
    assert {one["name"] for one in container["volumeMounts"]} == set(volumes)


def test_what_a_pod_may_use_is_limited(folder: Path) -> None:
    _, job_set = manifest(folder, "gpus=4", "cpus=16", "memory=200Gi", "claim=data")
    pod = pod_of(job_set)
    assert pod["containers"][0]["resources"] == {"limits": {"cpu": "16", "memory": "200Gi", "nvidia.com/gpu": "4"}}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["work"]["persistentVolumeClaim"] == {"claimName": "data"}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}


def test_a_pod_starts_a_launcher_that_finds_the_first_pod(folder: Path) -> None:
    _, job_set = manifest(folder, "name=mine", "port=4000", sets=("train.epochs=3",))
    (container,) = pod_of(job_set)["containers"]
    tools = fakes(folder, tunesmith='printf "%s\\n" "$@" > pod.txt')
    environ = {**os.environ, "PATH": tools, "JOB_COMPLETION_INDEX": "1"}
    subprocess.run(container["command"], env=environ, check=True)
    expected = ["launch", "--nodes", "2", "--node-rank", "1", "--nproc", "4", "--rendezvous", "mine-node-0-0.mine:4000"]
    told = (folder / "pod.txt").read_text().splitlines()
    assert told == [*expected, "--quiet", "/etc/tunesmith-job/recipe.yaml", "--set=train.epochs=3"]
    assert container["ports"] == [{"containerPort": 4000}]


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("nomad", (), "expected: one of slurm, kubernetes"),
        ("slurm", ("partitoin=gpu",), "did you mean partition?"),
        ("slurm", ("time",), "expected: time=VALUE: limit, e.g. 12:00:00"),
        ("slurm", ("time=1\nrm -rf /",), "has no value that fits on a line"),
        ("slurm", ("port=ssh",), "a number from 1 to 65535"),
        ("kubernetes", ("image=a", "port=70000"), "a number from 1 to 65535"),
        ("kubernetes", (), "a manifest needs a container image"),
        ("kubernetes", ("image=a", "name=Mine"), "up to 40 small letters, digits and -"),
    ],
)
def test_what_cannot_be_written_is_told(folder: Path, target: str, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        written(target, folder, *options)
    assert words in " ".join(str(caught.value).split())
    assert not (folder / "job").exists()


def test_a_mistake_in_the_recipe_is_told_here_and_not_on_the_cluster(folder: Path) -> None:
    with pytest.raises(TunesmithError, match=r"train\.epoch"):
        written("slurm", folder, sets=("train.epoch=3",))


def test_the_command_writes_to_a_file_or_to_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["launch", "--to", "slurm", "recipe.yaml", "--nodes", "3", "--nproc", "8", "--option", "partition=gpu"]
    assert main([*asked, "--max-restarts", "1000000", "--json", "--out", "job.sbatch"]) == 0
    text = (folder / "job.sbatch").read_text()
    assert "#SBATCH --nodes=3" in text
    assert "--nproc 8" in text
    assert "--max-restarts=1000000 --json" in text
    assert main(asked) == 0
    assert "#SBATCH --partition=gpu" in capsys.readouterr().out


def test_the_page_for_clusters_writes_what_it_says(folder: Path, root: Path) -> None:
    page = (root / "docs" / "how-to" / "two-hosts.md").read_text(encoding="utf-8")
    lines = re.findall(r"^tunesmith (launch --to .+)$", page, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        assert main(shlex.split(line)) == 0, line
    assert "#SBATCH --time=12:00:00" in (folder / "job.sbatch").read_text()
    assert any(one["kind"] == "JobSet" for one in yaml.safe_load_all((folder / "job.yaml").read_text()))
