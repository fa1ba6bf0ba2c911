# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a user wrote as data, made concrete: files with their readers, and data sets of plugins."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tunesmith.data.cache import keep_nothing
from tunesmith.data.hub import HubReference, hub_files, looks_like_hub_id
from tunesmith.data.readers.idx import labels_file
from tunesmith.data.readers.image_folder import holds_images
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith.plugin import DatasetSpec, ReaderSpec

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import Registry

__all__ = [
    "DatasetSource",
    "Entries",
    "FileSource",
    "Source",
    "find_entries",
    "find_sources",
    "read_rows",
    "read_source",
]

# Names of MNIST-style files end in "-ubyte", which is no suffix that a reader could claim.
_IDX = re.compile(r"idx\d-ubyte(\.gz)?\Z", re.IGNORECASE)
_IDX_READER = "tunesmith/idx"
_IMAGES_READER = "tunesmith/images"

Reader = Callable[[Path, ReadOptions], Iterator["Row | Problem"]]


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file, or a folder of images, and the reader for it.

    Attributes:
        name: as the user wrote it, or what the glob or hub reference led to.
        reader: full name of the reader, e.g. ``tunesmith/csv``.
        part: which table of the file is meant, where it has several.
    """

    name: str
    path: Path
    reader: str
    part: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A split of a registered data set; ``name`` is ``dataset:NAME#SPLIT``."""

    name: str
    dataset: str
    split: str


Source = FileSource | DatasetSource
Entries = Mapping[str, Sequence[tuple[int, Source]]]
"""The sources of each split, each with the place of the entry of ``data.train`` (…) that led to it."""


def read_rows(sources: Sequence[str], section: DataSection, registry: Registry) -> Iterator[Row | Problem]:
    """The rows of files, globs, folders, ``dataset:`` and ``hub:`` references, in that order.

    Args:
        section: its ``format``, ``encoding`` and ``text_unit`` are used.

    Raises:
        DataError: a source does not exist, or cannot be read as a whole.
        OfflineError: a hub data set is neither reachable nor cached.
        NotFoundError: no reader or data set of that name.
    """
    for source in find_sources(sources, section, registry):
        yield from read_source(source, section, registry)


def read_source(source: Source, section: DataSection, registry: Registry) -> Iterator[Row | Problem]:
    """The rows of one source."""
    if isinstance(source, DatasetSource):
        split_rows = cast("Callable[[str], Iterable[Row]]", registry.load("dataset", source.dataset))
        yield from split_rows(source.split)
        return
    reader = cast(Reader, registry.load("reader", source.reader))
    options = ReadOptions(
        encoding=section.encoding,
        text_unit=section.text_unit,
        column_names=tuple(section.column_names or ()),
        part=source.part,
    )
    inside = str(source.path)
    for row in reader(source.path, options):
        # A hub file lies somewhere in a cache; people know it by its name on the hub.
        known = row.origin.file != inside or source.name == inside
        yield row if known else replace(row, origin=Origin(source.name, row.origin.line))


def find_entries(section: DataSection, registry: Registry) -> Entries:
    """The sources of a job, training first.

    Raises:
        As :func:`find_sources`.
    """
    return {
        split: [
            (place, source)
            for place, entry in enumerate(getattr(section, split))
            for source in find_sources([entry], section, registry)
        ]
        for split in ("train", "validation", "test")
    }


def find_sources(sources: Sequence[str], section: DataSection, registry: Registry) -> list[Source]:
    """Every file and data set that the sources name, in order; files of a glob or folder sorted by name.

    Raises:
        DataError: no such file, no match, no reader for it, or an unclear folder.
        OfflineError: a hub data set is neither reachable nor cached.
        NotFoundError: no data set of that name, or no reader called ``data.format``.
    """
    found: list[Source] = []
    for text in sources:
        found.extend(_find(text, section.format, registry))
    return found


def _find(text: str, format_name: str | None, registry: Registry) -> list[Source]:
    if text.startswith("dataset:"):
        return [_dataset(text, registry)]
    if text.startswith("hub:"):
        return _hub(text, format_name, registry)
    path = Path(text).expanduser()
    if path.is_dir():
        return list(_folder(path, format_name, registry))
    if path.exists():
        return [FileSource(text, path, _reader_for(path, format_name, registry))]
    whole, mark, part = text.rpartition("#")
    if mark and part and Path(whole).expanduser().is_file():
        return [_part(text, Path(whole).expanduser(), part, format_name, registry)]
    if glob.has_magic(text):
        return list(_glob(text, path, format_name, registry))
    if looks_like_hub_id(text) and not path.parent.exists():
        return _hub(f"hub:{text}", format_name, registry)
    raise _no_such_file(text, path)


def _part(text: str, path: Path, part: str, format_name: str | None, registry: Registry) -> FileSource:
    reader = _reader_for(path, format_name, registry)
    if not cast(ReaderSpec, registry.find("reader", reader).spec).parts:
        raise DataError(
            f"{text}: a file of this format has no parts",
            given=f"#{part}, for the reader {reader}",
            expected="FILE#PART for a JSON file that holds several lists",
            fix=f"leave out #{part}",
        )
    return FileSource(text, path, reader, part)


def _dataset(text: str, registry: Registry) -> DatasetSource:
    name, _, split = text.removeprefix("dataset:").partition("#")
    spec = registry.find("dataset", name).spec
    splits = spec.splits if isinstance(spec, DatasetSpec) else ()
    if not split and len(splits) == 1:
        split = splits[0]
    if split not in splits:
        raise DataError(
            f"{text}: {'no such split' if split else 'which split?'}",
            given=split or "no split",
            expected=f"one of {', '.join(splits)}",
            fix=f"write dataset:{name}#{(difflib.get_close_matches(split, splits, n=1) or splits or ('train',))[0]}",
        )
    return DatasetSource(f"dataset:{name}#{split}", name, split)


def _hub(text: str, format_name: str | None, registry: Registry) -> list[Source]:
    files = hub_files(HubReference.parse(text), format_name=format_name)
    return [FileSource(file.name, file.path, _reader_for(file.path, format_name, registry)) for file in files]


def _glob(text: str, path: Path, format_name: str | None, registry: Registry) -> Iterator[FileSource]:
    matches = [match for name in sorted(glob.glob(str(path), recursive=True)) if (match := Path(name)).is_file()]
    if not matches:
        raise DataError(
            f"{text}: no file matches",
            given=f"a pattern, in the folder {Path.cwd()}",
            expected="at least one file",
            fix="quote the pattern in a shell; ** matches folders of any depth",
        )
    for match in _without_partners(matches):
        yield FileSource(str(match), match, _reader_for(match, format_name, registry))


def _folder(folder: Path, format_name: str | None, registry: Registry) -> Iterator[FileSource]:
    named = registry.find("reader", format_name) if format_name else None
    if named is not None and cast(ReaderSpec, named.spec).folders:
        yield FileSource(str(folder), folder, _reader_for(folder, format_name, registry))
        return
    images = named.full_name == _IMAGES_READER if named is not None else holds_images(folder)
    if images:
        yield FileSource(str(folder), folder, _IMAGES_READER)
        return
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    files = _without_partners([entry for entry in entries if entry.is_file()])
    formats = {entry: _reader_by_ending(entry, registry) if format_name is None else format_name for entry in files}
    kinds = {kind.rpartition("/")[2] if kind else "unknown" for kind in formats.values()}
    folders = [entry for entry in entries if entry.is_dir()]
    if not files or len(kinds) > 1 or "unknown" in kinds or folders:
        shown = ", ".join(entry.name + ("/" if entry.is_dir() else "") for entry in entries[:8])
        raise DataError(
            f"{folder}: not a folder of images, nor of data files of one format",
            given=(shown + (" …" if len(entries) > 8 else "")) or "an empty folder",
            expected="LABEL/image.png for images, or files of one known format and nothing else",
            fix=f"name the files, or use a pattern such as {folder}/*.csv",
        )
    for file in files:
        yield FileSource(str(file), file, _reader_for(file, format_name, registry))


def _without_partners(files: Sequence[Path]) -> list[Path]:
    """Leave out idx files of labels: they are read together with their images."""
    partners = {labels_file(file) for file in files if _IDX.search(file.name)}
    return [file for file in files if file not in partners]


def _reader_for(path: Path, format_name: str | None, registry: Registry) -> str:
    name = _reader_name(path, format_name, registry)
    if cast(ReaderSpec, registry.find("reader", name).spec).private:
        keep_nothing(f"{path} is read by {name}, whose rows must not lie on a disk")
    return name


def _reader_name(path: Path, format_name: str | None, registry: Registry) -> str:
    if format_name is not None:
        return registry.find("reader", format_name).full_name
    reader = _reader_by_ending(path, registry)
    if reader is None:
        endings = sorted(ending for one in registry.all("reader") for ending in _suffixes(one.spec))
        names = ", ".join(one.spec.name for one in registry.all("reader"))
        raise DataError(
            f"{path}: no reader for files with this ending",
            given=path.name,
            expected=f"one of {' '.join(endings)} (also with .gz), *-ubyte, or a folder of images",
            fix=f"say what it is: data.format=NAME (to predict and evaluate: --format NAME), one of {names}",
        )
    return reader


def _reader_by_ending(path: Path, registry: Registry) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    fits = [
        (len(ending), one.full_name)
        for one in registry.all("reader")
        for ending in _suffixes(one.spec)
        if name.endswith(ending)
    ]
    longest = max((length for length, _ in fits), default=0)
    readers = sorted({reader for length, reader in fits if length == longest})
    if len(readers) > 1:
        raise DataError(
            f"{path}: more than one reader claims this ending",
            given=path.name,
            expected=" or ".join(readers),
            fix=f"choose one: data.format={readers[0]}",
        )
    if readers:
        return readers[0]
    return _IDX_READER if _IDX.search(path.name) else None


def _suffixes(spec: object) -> tuple[str, ...]:
    return spec.suffixes if isinstance(spec, ReaderSpec) else ()


def _no_such_file(text: str, path: Path) -> DataError:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    direct = folder == path.absolute().parent
    wanted = path.name if direct else path.absolute().relative_to(folder).parts[0]
    names = [entry.name for entry in folder.iterdir()]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    fix = [f"did you mean {' or '.join(str(folder / name) if path.is_absolute() else name for name in near)}?"]
    if looks_like_hub_id(text):
        fix.append(f"if it is a data set on the hub, write hub:{text}")
    return DataError(
        f"{text}: no such file or folder",
        given=f"{text}, in the folder {Path.cwd()}" if not path.is_absolute() else text,
        expected="a file, a pattern, a folder, dataset:NAME#SPLIT or hub:OWNER/NAME#SPLIT",
        fix=(fix if near else fix[1:]) + ([] if direct else [f"the folder {path.parent} does not exist either"]),
    )
