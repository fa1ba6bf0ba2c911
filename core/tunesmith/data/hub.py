# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Data files of a Hugging Face data set: found by the names of its files, downloaded, never executed.

Scripts in a data set's repository are not run; only Parquet, CSV, TSV, JSON, JSON Lines and text files
are used. What was downloaded before is found again in the hub's cache when there is no network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tunesmith.errors import DataError, OfflineError, TunesmithError

__all__ = ["HubFile", "HubReference", "hub_files", "looks_like_hub_id"]

_log = logging.getLogger(__name__)

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_ID = re.compile(rf"{_PART}/{_PART}(?:#[\w.-]+)?\Z")
_REFERENCE = re.compile(
    rf"hub:(?P<repo>{_PART}/{_PART})(?:/(?P<folder>[^@#]+?))?/?(?:@(?P<revision>[^#]+))?(?:#(?P<split>[\w.-]+))?\Z"
)
_ENDING = re.compile(r"\.(parquet|csv|tsv|jsonl|ndjson|json|txt)(\.gz)?\Z")
_SHARD = re.compile(r"-(\d{5,})-of-(\d{5,})\b")
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class HubReference:
    """``hub:OWNER/NAME[/FOLDER][@REVISION][#SPLIT]``, taken apart."""

    text: str
    repo: str
    folder: str
    revision: str | None
    split: str | None

    @classmethod
    def parse(cls, text: str) -> HubReference:
        """Read a reference.

        Raises:
            DataError: it has another form.
        """
        match = _REFERENCE.match(text)
        if match is None:
            raise DataError(
                f"{text}: not a reference to a data set on the hub",
                given=text,
                expected="hub:OWNER/NAME#SPLIT, or hub:OWNER/NAME/FOLDER@REVISION#SPLIT",
            )
        return cls(text, match["repo"], match["folder"] or "", match["revision"], match["split"])


@dataclass(frozen=True, slots=True)
class HubFile:
    """One data file on disk; ``name`` has the commit it belongs to: ``hub:OWNER/NAME@COMMIT/FILE``."""

    name: str
    path: Path


def looks_like_hub_id(text: str) -> bool:
    """``OWNER/NAME`` or ``OWNER/NAME#SPLIT``, without the ending of a data file."""
    return bool(_ID.match(text)) and not _ENDING.search(text.partition("#")[0].lower())


def hub_files(reference: HubReference, *, format_name: str | None = None) -> list[HubFile]:
    """The data files of a split, downloaded or found in the hub's cache, in the order of their names.

    Args:
        format_name: ``data.format``, chooses where a split comes in several formats.

    Raises:
        DataError: no such data set, revision or split; gated; several folders or formats to choose from.
        OfflineError: the hub cannot be reached and the files are not in the cache.
    """
    from huggingface_hub import HfApi, hf_hub_download

    try:
        with _explained(reference):
            info = HfApi().dataset_info(reference.repo, revision=reference.revision, timeout=_SECONDS)
            names = _choose(reference, [sibling.rfilename for sibling in info.siblings or ()], format_name)
            return [
                HubFile(
                    f"hub:{reference.repo}@{info.sha}/{name}",
                    # By the revision asked for and not by its commit, so that the cache can find it again offline.
                    Path(hf_hub_download(reference.repo, name, repo_type="dataset", revision=reference.revision)),
                )
                for name in names
            ]
    except OfflineError as offline:
        snapshot = _cached(reference)
        if snapshot is None:
            raise
        _log.warning("%s: no network; using the copy in the cache, commit %s", reference.text, snapshot.name)
        return _cached_files(reference, snapshot, format_name, offline)


def _cached_files(
    reference: HubReference, snapshot: Path, format_name: str | None, offline: OfflineError
) -> list[HubFile]:
    held = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
    try:
        names = _choose(reference, held, format_name)
    except DataError as error:
        # The cache may simply not hold this part; being offline is what stands in the way.
        raise OfflineError(
            f"{offline.what}: {error.what}", given=offline.given, expected=offline.expected, fix=offline.fix
        ) from error
    return [HubFile(f"hub:{reference.repo}@{snapshot.name}/{name}", snapshot / name) for name in names]


def _cached(reference: HubReference) -> Path | None:
    """The folder of the revision in the hub's cache (``datasets--OWNER--NAME/snapshots/COMMIT``), if it is there."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{reference.repo.replace('/', '--')}"
    revision = reference.revision or "main"
    pointer = folder / "refs" / revision
    commit = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else revision
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


@contextmanager
def _explained(reference: HubReference) -> Iterator[None]:
    """Turn the hub client's errors into ours: not found, gated and not reachable told apart."""
    from huggingface_hub import errors

    where = reference.text
    page = f"https://huggingface.co/datasets/{reference.repo}"
    try:
        yield
    except TunesmithError:
        raise
    except errors.GatedRepoError as error:
        raise _gated(where, page) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"{where}: no such data set on the hub, or it is private",
            given=reference.repo,
            expected="OWNER/NAME of a public data set, or of one your token may read",
            fix=["check the spelling", "for a private one: `hf auth login`, or set HF_TOKEN"],
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"{where}: the data set has no such revision",
            given=reference.revision,
            expected=f"a branch, tag or commit of {page}",
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise _gated(where, page) from error
        if status < 500 and status != 429:
            raise DataError(f"{where}: the hub refused the request", given=f"HTTP status {status}") from error
        raise _offline(reference, f"the hub answered with HTTP status {status}") from error
    except (errors.HTTPError, OSError) as error:  # HTTPError: the base of the HTTP client's own errors
        raise _offline(reference, str(error).splitlines()[0] if str(error) else type(error).__name__) from error


def _gated(where: str, page: str) -> DataError:
    return DataError(
        f"{where}: the data set is gated, and you have no access to it",
        expected="a token of somebody who was given access",
        fix=[f"ask for access on {page}", "then `hf auth login`, or set HF_TOKEN"],
    )


def _offline(reference: HubReference, reason: str) -> OfflineError:
    from huggingface_hub import constants

    return OfflineError(
        f"{reference.text}: the hub cannot be reached, and the data set is not in its cache",
        given=reason,
        expected=f"a network, or the files in the hub's cache ({constants.HF_HUB_CACHE})",
        fix=[
            f"where there is a network: hf download {reference.repo} --repo-type dataset",
            "then bring that cache here and set HF_HUB_CACHE to its folder",
            "or give the files themselves, e.g. data.train=folder/train.parquet",
        ],
    )


def _choose(reference: HubReference, names: Sequence[str], format_name: str | None) -> list[str]:
    """The data files of the split among a repository's files."""
    prefix = f"{reference.folder.strip('/')}/" if reference.folder else ""
    data = sorted(
        name
        for name in names
        if name.startswith(prefix) and (found := _ENDING.search(name.lower())) and format_name in (None, found[1])
    )
    chosen = _of_split(reference, data, prefix)
    folders = sorted({str(PurePosixPath(name).parent) for name in chosen})
    if len(folders) > 1:
        raise DataError(
            f"{reference.text}: the split lies in several folders",
            given=_some(folders),
            expected="one of them",
            fix=f"write hub:{reference.repo}/{folders[-1]}" + (f"#{reference.split}" if reference.split else ""),
        )
    formats = sorted({match[1] for name in chosen if (match := _ENDING.search(name.lower()))})
    if len(formats) > 1:
        raise DataError(
            f"{reference.text}: the split comes in several formats",
            given=_some(chosen),
            expected="one format",
            fix=f"choose one: data.format={formats[0]}",
        )
    _check_shards(reference, chosen)
    return chosen


def _of_split(reference: HubReference, data: Sequence[str], prefix: str) -> list[str]:
    by_split: dict[str, list[str]] = {}
    for name in data:
        split = _split_of(name.removeprefix(prefix))
        if split is not None:
            by_split.setdefault(split, []).append(name)
    if reference.split is None:
        if len(by_split) > 1:
            raise DataError(
                f"{reference.text}: which split?",
                given="no split",
                expected=f"one of {', '.join(sorted(by_split))}",
                fix=f"write {reference.text}#{min(by_split, key=lambda name: name != 'train')}",
            )
        chosen = next(iter(by_split.values()), list(data))
    else:
        wanted = re.compile(rf"(?:^|[/_.-]){re.escape(reference.split)}(?=[/_.-])")
        exact = [name for name in data if wanted.search(name.removeprefix(prefix))]
        chosen = exact or by_split.get(_split_of(reference.split) or "", [])
    if not chosen:
        raise DataError(
            f"{reference.text}: no data files of this split",
            given=f"data files: {_some(data)}" if data else "a repository without data files (its scripts are not run)",
            expected="files named after the split, e.g. data/train-00000-of-00001.parquet, train.csv, test.jsonl",
            fix=f"splits found: {', '.join(sorted(by_split))}" if by_split else None,
        )
    return chosen


def _split_of(name: str) -> str | None:
    """The split a file's name speaks of: ``data/train-00000-of-00002.parquet`` is ``train``."""
    words = re.split(r"[/_.-]", name.lower())
    return next((split for split, spellings in _SPLITS.items() if any(word in spellings for word in words)), None)


def _check_shards(reference: HubReference, names: Sequence[str]) -> None:
    shards = [(int(match[1]), int(match[2])) for name in names if (match := _SHARD.search(name))]
    missing = sorted(set(range(max((total for _, total in shards), default=0))) - {number for number, _ in shards})
    if missing:
        raise DataError(
            f"{reference.text}: {len(missing)} of {shards[0][1]} parts of the split are not there",
            given=_some(names),
            expected=f"also part {', '.join(f'{number:05d}' for number in missing[:5])}",
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" … ({len(names)} in all)" if len(names) > 6 else "")
