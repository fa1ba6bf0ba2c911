# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Manifests for Kubernetes: the recipe as a ConfigMap, and the launchers as a JobSet (jobset.x-k8s.io/v1alpha2).

A JobSet gives every pod of an indexed job a name in the cluster's DNS, ``<set>-<job>-<number of job>-<index>.<set>``,
and Kubernetes tells each its index in ``JOB_COMPLETION_INDEX``: all that launchers need to meet.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

import yaml

from tunesmith.errors import RecipeError
from tunesmith_enterprise.distributed.generators.asked import Asked

__all__ = ["OPTIONS", "jobset_manifest"]

OPTIONS: Final = {
    "image": "with tunesmith and tunesmith-enterprise; needed",
    "name": "of the job; tunesmith",
    "namespace": "where it runs",
    "gpus": "on each node",
    "cpus": "on each node",
    "memory": "on each node, e.g. 200Gi",
    "claim": "a volume claim for data and runs that all nodes share: the working folder",
    "license": "the Secret that holds the license under the key `license`; tunesmith-license",
    "port": "of the first pod, where the launchers meet; 29400",
    "interface": "network interface between pods",
    "shared-memory": "of /dev/shm, e.g. 16Gi; 8Gi with GPUs",
    "queue": "of Kueue",
    "service-account": "of the pods",
}
"""Names, and what each is, with its default."""
_DEFAULTS: Final = {"name": "tunesmith", "license": "tunesmith-license", "port": "29400"}
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_JOB: Final = "node"
_FOLDER: Final = "/work"
_KILLED: Final = (137, 143)
"""Exit codes of a container that was ended from outside."""
_COMMENTS: Final = {
    "kind: ConfigMap": "# The recipe. It holds no secret: the license is in a Secret of its own, see below.",
    "  failurePolicy:": "  # Lost processes are started again by `tunesmith launch` itself, from the last checkpoint.",
    "          podFailurePolicy:": "          # What the job itself told is not tried again; a pod that was lost is.",
    "              terminationGracePeriodSeconds:": "              # Seconds to save and stop.",
    "              - name: license": "              # kubectl create secret generic NAME --from-file=license=YOUR.lic",
}


def jobset_manifest(asked: Asked) -> str:
    """The text of it: two documents.

    Raises:
        RecipeError: the image is missing, or the name is none for Kubernetes.
    """
    options = {**_DEFAULTS, **asked.options}
    if "image" not in options:
        raise RecipeError(
            "a manifest needs a container image",
            given="no --option image=…",
            expected="an image with tunesmith and tunesmith-enterprise",
            fix="--option image=registry.example/tunesmith:1",
        )
    if not _NAME.fullmatch(options["name"]):
        raise RecipeError(
            "this is no name for a job in Kubernetes",
            given=f"--option name={options['name']}",
            expected="up to 40 small letters, digits and -, first a letter",
            fix="--option name=my-job",
        )
    documents = [_config_map(asked, options), _job_set(asked, options)]
    dumped = [yaml.safe_dump(one, sort_keys=False, width=1000, default_flow_style=False) for one in documents]
    head = (
        f"# {asked.processes * asked.nodes} processes on {asked.nodes} {'pod' if asked.nodes == 1 else 'pods'}, by "
        "`tunesmith launch`. It needs JobSet: https://jobset.sigs.k8s.io\n"
        "# Start it: kubectl apply --server-side -f THIS_FILE\n"
    )
    return head + "---\n".join(_commented(text) for text in dumped)


def _commented(text: str) -> str:
    lines = []
    for line in text.splitlines():
        lines += [comment for start, comment in _COMMENTS.items() if line.startswith(start)]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _config_map(asked: Asked, options: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(options, f"{options['name']}-recipe"),
        "data": {"recipe.yaml": asked.text},
    }


def _metadata(options: dict[str, str], name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **({"namespace": options["namespace"]} if "namespace" in options else {}), **more}


def _job_set(asked: Asked, options: dict[str, str]) -> dict[str, Any]:
    labels = {"labels": {"kueue.x-k8s.io/queue-name": options["queue"]}} if "queue" in options else {}
    job = {
        "parallelism": asked.nodes,
        "completions": asked.nodes,
        "completionMode": "Indexed",
        # Without a folder that outlives the pod there is nothing to go on from.
        "backoffLimit": 3 * asked.nodes if "claim" in options else 0,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": "tunesmith", "operator": "NotIn", "values": list(_KILLED)},
                }
            ]
        },
        "template": {"spec": _pod(asked, options)},
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": _metadata(options, options["name"], **labels),
        "spec": {
            "failurePolicy": {"maxRestarts": 0},
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "replicatedJobs": [{"name": _JOB, "replicas": 1, "template": {"spec": job}}],
        },
    }


def _pod(asked: Asked, options: dict[str, str]) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "recipe", "configMap": {"name": f"{options['name']}-recipe"}},
        {"name": "license", "secret": {"secretName": options["license"], "defaultMode": 0o400}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "recipe", "mountPath": "/etc/tunesmith-job", "readOnly": True},
        {"name": "license", "mountPath": "/etc/tunesmith-license", "readOnly": True},
    ]
    if "claim" in options:
        volumes.append({"name": "work", "persistentVolumeClaim": {"claimName": options["claim"]}})
    else:
        volumes.append({"name": "work", "emptyDir": {}})
    mounts.append({"name": "work", "mountPath": _FOLDER})
    shared = options.get("shared-memory", "8Gi" if "gpus" in options else "")
    if shared:
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": shared}})
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    wanted = {"cpus": "cpu", "memory": "memory", "gpus": "nvidia.com/gpu"}
    limits = {name: options[key] for key, name in wanted.items() if key in options}
    container: dict[str, Any] = {
        "name": "tunesmith",
        "image": options["image"],
        "workingDir": _FOLDER,
        "command": ["sh", "-c", _script(asked, options)],
        "env": [{"name": "TUNESMITH_LICENSE_FILE", "value": "/etc/tunesmith-license/license"}],
        "ports": [{"containerPort": int(options["port"])}],
        **({"resources": {"limits": limits}} if limits else {}),
        "volumeMounts": mounts,
    }
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 120,
        **({"serviceAccountName": options["service-account"]} if "service-account" in options else {}),
        "containers": [container],
        "volumes": volumes,
    }


def _script(asked: Asked, options: dict[str, str]) -> str:
    """``sh`` of each pod; ``exec``, so that Kubernetes' signals reach the launcher."""
    name = options["name"]
    main = f"{name}-{_JOB}-0-0.{name}:{options['port']}"
    more = [*asked.arguments, *(["--interface", options["interface"]] if "interface" in options else [])]
    new = ["/etc/tunesmith-job/recipe.yaml", *(f"--set={one}" for one in asked.sets)]
    return (
        f"set -- {shlex.join(new)}\n"
        f"if [ -e {shlex.quote(asked.output + '/run.json')} ]; then\n"
        f"  set -- --resume {shlex.quote(asked.output)}  # a pod that was lost: its run goes on\n"
        "fi\n"
        f'exec tunesmith launch --nodes {asked.nodes} --node-rank "$JOB_COMPLETION_INDEX" --nproc {asked.processes} '
        f'--rendezvous {main}{" " if more else ""}{shlex.join(more)} "$@"\n'
    )
