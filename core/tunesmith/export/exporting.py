# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Write a model in another form, check that it answers as before, and only then give it its name."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from tunesmith._plugins import authorize
from tunesmith.errors import ModelError, NotFoundError, OutputError, ParityError, TunesmithError
from tunesmith.evaluate.golden import GOLDEN, Golden, golden_set
from tunesmith.export.parity import Finding
from tunesmith.export.sample_rows import sample_examples
from tunesmith.export.subject import Subject
from tunesmith.models.addressed import closing_addresses
from tunesmith.plugin import Action, ExporterSpec
from tunesmith.runs import environment, file_digest, flush_folder, usual_permissions, writing

if TYPE_CHECKING:
    from tunesmith.registry import Registry
    from tunesmith.runs import Run

__all__ = ["MANIFEST", "Export", "Exporter", "export_model"]

MANIFEST = "export.json"
FORMAT = 1
_PACKAGES = ("gguf", "onnx", "onnxscript", "onnxruntime", "llama-cpp-python")


class Exporter(Protocol):
    """The target of an ``ExporterSpec``: a class, made without arguments for each export."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        """Write everything into ``folder``, which is empty.

        Raises:
            ModelError: this form cannot hold the model; says what could.
        """
        ...

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        """Open what was written as its readers do, and hold it against the golden set."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """What came out.

    Attributes:
        path: the folder.
        to: full name of the exporter.
        quantize: precision that was asked for; ``None``: the stored one.
        files: name to ``sha256:…``; all but ``export.json``.
        findings: what was checked; empty where nothing was.
        rows_from: where the golden rows are from; empty where nothing was checked.
        notes: what people must know, one sentence each.
    """

    path: Path
    to: str
    quantize: str | None
    files: dict[str, str]
    findings: tuple[Finding, ...]
    rows_from: str
    notes: tuple[str, ...]

    @property
    def state(self) -> Literal["passed", "failed", "not checked"]:
        """The outcome of the check."""
        if not self.findings:
            return "not checked"
        return "failed" if any(finding.holds is False for finding in self.findings) else "passed"


@closing_addresses()
def export_model(
    model: str | Path | Run,
    *,
    to: str,
    out: str | os.PathLike[str],
    quantize: str | None = None,
    check: bool | Literal["warn"] = True,
    registry: Registry | None = None,
) -> Export:
    """Write a run's model in another form, and check it against the run's golden set.

    The set is ``golden.json`` of the run; where it has none, it is made from the model now. Everything is written
    beside ``out`` and renamed at the end: whatever goes wrong, nothing of that name appears.

    Args:
        model: a finished run, a model folder, a named model or a hub id.
        to: name of an exporter: ``merged``, ``adapter``, ``gguf``, ``onnx``, or a plugin's.
        out: folder to make; must not be there, or be empty.
        quantize: a precision that the exporter offers (``int8``, ``int4``). Default: as the weights are stored.
        check: True: a failed check is an error, and nothing is left; ``"warn"``: the export stays and says so;
            False: nothing is checked.
        registry: where names are looked up. Default: the process's.

    Raises:
        RunError: no such run, it has not finished, or a file of it is not what it was.
        ModelError: the model cannot be used, or this form cannot hold it.
        NotFoundError: no such exporter, or it has no such precision.
        OutputError: something is at ``out``, or it cannot be written.
        ParityError: the export does not answer as the model does.
        DeniedError: a gate does not let it happen.
    """
    from tunesmith.registry import get_registry

    details = {"to": to, "quantize": quantize, "output": os.fspath(out)}
    authorize(Action(name="export", subject=str(getattr(model, "path", model)), details=details))
    registry = registry or get_registry()
    provided = registry.find("exporter", to)
    spec = cast(ExporterSpec, provided.spec)
    _check_quantize(spec, quantize)
    target = Path(out).expanduser()
    _check_free(target)
    subject = Subject.open(model, registry)
    _check_task(spec, subject, registry)
    _note_temperature(subject)
    exporter = cast("type[Exporter]", registry.load("exporter", provided.full_name))()
    with _draft(target) as draft:
        golden = _golden(subject) if check else None
        exporter.write(subject, draft, quantize)
        findings: tuple[Finding, ...] = ()
        if golden is not None:
            findings = tuple(exporter.check(subject, draft, quantize, golden))
        export = Export(
            target,
            provided.full_name,
            quantize,
            {file.relative_to(draft).as_posix(): file_digest(file) for file in _files(draft)},
            findings,
            "" if golden is None else golden.rows_from,
            tuple(subject.notes),
        )
        if export.state == "failed" and check is True:
            raise _failed(export)
        _write_manifest(draft, export, subject)
        usual_permissions(draft)
        _to_disk(draft)
        if target.is_dir():  # empty: seen at the beginning
            target.rmdir()
        os.replace(draft, target)
        flush_folder(target.absolute().parent)
    return export


# ---- before ------------------------------------------------------------------------------------


def _check_quantize(spec: ExporterSpec, quantize: str | None) -> None:
    if quantize is not None and quantize not in spec.quantize:
        raise NotFoundError(
            f"{spec.name} has no such precision",
            given=f"--quantize {quantize}",
            expected=" or ".join(spec.quantize) or f"none: {spec.name} keeps the weights as they are stored",
            fix="leave --quantize out, or export to gguf, which has int8 and int4",
        )


def _check_task(spec: ExporterSpec, subject: Subject, registry: Registry) -> None:
    if _holds(spec, subject.task_name):
        return
    able = [
        one.spec.name for one in registry.all("exporter") if _holds(cast(ExporterSpec, one.spec), subject.task_name)
    ]
    raise ModelError(
        f"{spec.name} cannot hold a model of the task {subject.task_name.removeprefix('tunesmith/')}",
        given=f"{subject.name}, of the task {subject.task_name}",
        expected=f"a model of the task {' or '.join(spec.tasks)}",
        fix=f"export it --to {' or '.join(able)}",
    )


def _holds(spec: ExporterSpec, task: str) -> bool:
    return not spec.tasks or task in spec.tasks or task.removeprefix("tunesmith/") in spec.tasks


def _note_temperature(subject: Subject) -> None:
    """transformers, peft and ONNX have no place for it."""
    temperature = getattr(subject.task, "temperature", None)
    if temperature is not None:
        subject.note(
            f"its logits are as the network gives them: divided by {temperature} (temperature in rendering.json) they "
            "become calibrated probabilities, of the same labels"
        )


def _check_free(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputError(f"{target} is there and is no folder", fix="choose another folder: --out FOLDER")
    if target.is_dir() and any(target.iterdir()):
        names = sorted(entry.name for entry in target.iterdir())
        raise OutputError(
            f"{target} is not empty, and nothing is overwritten",
            given=", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
            expected="a folder that is empty or not there",
            fix="choose another folder: --out FOLDER",
        )


def _golden(subject: Subject) -> Golden:
    if subject.run is not None and (subject.run.path / GOLDEN).is_file():
        golden = Golden.read(subject.run.path / GOLDEN)
        if len(golden):
            return golden
    for examples, rows_from in sample_examples(subject):
        golden = golden_set(subject.task, subject.module, examples, rows_from=rows_from, registry=subject.registry)
        if len(golden):
            break
    return golden


# ---- after -------------------------------------------------------------------------------------


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A folder beside the target, gone afterwards unless it was renamed; errors of the disk speak of ``--out``."""
    draft = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"  # same disk: it can be renamed
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.mkdir()
            yield draft
    except OutputError as error:
        fix = [line.replace("--set output=FOLDER", "--out FOLDER") for line in error.fix]
        what = error.what.replace(str(draft), str(target))
        raise OutputError(what, given=error.given, expected=error.expected, fix=fix) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _to_disk(folder: Path) -> None:
    for path in _files(folder):
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())


def _failed(export: Export) -> TunesmithError:
    wrong = [f"{finding.name}: {finding.detail}" for finding in export.findings if finding.holds is False]
    quantized = export.quantize is not None
    return ParityError(
        f"the export to {export.to.removeprefix('tunesmith/')} does not answer as the model does; nothing was kept",
        given="; ".join(wrong),
        expected="the same tokens, and log-probabilities and probabilities within the tolerance",
        fix=(
            "export without --quantize" if quantized else "please report it, with the model's architecture",
            'or keep it as it is: --no-check, or check="warn" in Python',
        ),
    )


def _write_manifest(draft: Path, export: Export, subject: Subject) -> None:
    from tunesmith.runs.records import to_json

    packages: dict[str, str] = environment()["packages"]
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    base = subject.source.base
    content: dict[str, Any] = {
        "format": FORMAT,
        "to": export.to,
        "quantize": export.quantize,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "source": {
            "name": subject.name,
            "run": None if subject.run is None else str(subject.run.path.absolute()),
            "task": subject.task_name,
            "digest": subject.source.digest,
            "precision": subject.precision,
            "base": None if base is None else {"name": base.name, "revision": base.revision, "digest": base.digest},
        },
        "files": export.files,
        "packages": packages,
        "check": {
            "state": export.state,
            "rows_from": export.rows_from,
            "findings": [asdict(finding) for finding in export.findings],
        },
        "notes": list(export.notes),
    }
    (draft / MANIFEST).write_text(to_json(content, indent=2) + "\n", encoding="utf-8")
