# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which models there are: those given at the start, with their adapters, and no others."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunesmith.engine.protocol import Engine
from tunesmith.errors import NotFoundError, RequestError
from tunesmith.serve.problems import HttpError

__all__ = ["AdapterSource", "Models", "Target"]

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z")
_ADAPTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class AdapterSource:
    """An adapter that may be loaded: what clients call it, where it lies, and the model it is for."""

    name: str
    path: Path
    model: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a request's ``model`` stands for.

    Attributes:
        name: of the model, as served.
        engine: that answers for it.
        adapter: to answer with.
    """

    name: str
    engine: Engine
    adapter: str | None = None


class Models:
    """Names to engines and adapters.

    Args:
        engines: by the name they are served under.
        adapters: those that may be loaded; none is yet.

    Raises:
        RequestError: a name is taken twice, or holds characters that names do not.
        NotFoundError: an adapter is for a model that is not served.
    """

    def __init__(self, engines: Mapping[str, Engine], adapters: Sequence[AdapterSource] = ()) -> None:
        self._engines = dict(engines)
        self._sources: dict[tuple[str, str], AdapterSource] = {}
        self._loaded: frozenset[tuple[str, str]] = frozenset()  # replaced, never changed: readers need no lock
        self._lock = threading.Lock()
        for name in self._engines:
            _check_name(name, _MODEL, "model", "letters, digits, dots, dashes, underscores and slashes")
        for source in adapters:
            self._add(source)

    def _add(self, source: AdapterSource) -> None:
        _check_name(source.name, _ADAPTER, "adapter", "letters, digits, dots, dashes and underscores")
        if source.model not in self._engines:
            raise NotFoundError(
                "an adapter is for a model that is not served",
                given=f"{source.name}, for {source.model}",
                expected=f"one of {', '.join(self._engines)}",
                fix="name the model before the adapter: --adapter MODEL:NAME=PATH",
            )
        if source.name in self._engines or (source.model, source.name) in self._sources:
            raise RequestError(
                "a name is taken twice", parameter="adapter", given=source.name, fix="choose another name"
            )
        if "adapters" not in self._engines[source.model].info.features:
            raise RequestError(
                "this model takes no adapters",
                parameter="adapter",
                given=f"{source.name}, for {source.model}",
                fix="serve the adapter's folder itself as a model",
            )
        self._sources[source.model, source.name] = source

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By name."""
        return self._engines

    def names(self) -> list[str]:
        """What clients may ask for: models, and loaded adapters."""
        return [*self._engines, *(f"{model}:{name}" for model, name in sorted(self._loaded))]

    def find(self, name: str) -> Target:
        """The engine, and the adapter, that a name stands for: a model, ``model:adapter``, or an adapter alone.

        Raises:
            HttpError: 404, with the names that are served.
        """
        if name in self._engines:
            return Target(name, self._engines[name])
        model, colon, adapter = name.rpartition(":")
        matches = [pair for pair in self._loaded if pair == (model, adapter) or (not colon and pair[1] == name)]
        if len(matches) == 1:
            model, adapter = matches[0]
            return Target(model, self._engines[model], adapter)
        raise self._not_found(name, ambiguous=bool(matches))

    def _not_found(self, name: str, *, ambiguous: bool) -> HttpError:
        what = "more than one model has an adapter of this name" if ambiguous else "no such model"
        return HttpError(
            404,
            f"{what}; given: {name[:200]}; served here: {', '.join(self.names())}",
            param="model",
            code="ambiguous_model" if ambiguous else "model_not_found",
        )

    def only(self, allowed: Callable[[str, str | None], bool]) -> Models:
        """The same models as somebody sees them who may ask some of them.

        Args:
            allowed: whether a model, or a model with an adapter, is one of these.
        """
        return _Some(self, allowed)

    def adapters(self) -> list[tuple[AdapterSource, bool]]:
        """Those that may be loaded, and whether each is."""
        return [(source, pair in self._loaded) for pair, source in sorted(self._sources.items())]

    def load_all(self) -> None:
        """Load every adapter of the list.

        Raises:
            ModelError: one does not fit its model.
        """
        for source, _ in self.adapters():
            self.load(source.name, source.model)

    def load(self, name: str, model: str | None = None) -> AdapterSource:
        """Load one from the list; one that is loaded stays as it is. Blocks.

        Raises:
            HttpError: 404, no such adapter in the list.
            ModelError: it does not fit its model.
        """
        source = self._source(name, model)
        with self._lock:
            if (source.model, source.name) not in self._loaded:
                self._engines[source.model].load_adapter(source.name, source.path)
                self._loaded |= {(source.model, source.name)}
        return source

    def unload(self, name: str, model: str | None = None) -> AdapterSource:
        """Unload one; one that is not loaded stays so. Blocks until the requests under way with it have ended.

        Raises:
            HttpError: 404, no such adapter in the list.
        """
        source = self._source(name, model)
        with self._lock:
            if (source.model, source.name) in self._loaded:
                self._loaded -= {(source.model, source.name)}  # first: nobody new may ask for it
                self._engines[source.model].unload_adapter(source.name)
        return source

    def _source(self, name: str, model: str | None) -> AdapterSource:
        found = [source for source in self._sources.values() if source.name == name and model in (None, source.model)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{source.model}:{source.name}" for source in self._sources.values()) or "none"
        raise HttpError(
            404,
            f"{'name its model too' if found else 'no such adapter'}; given: {name[:100]}; "
            f"listed when the server was started: {known}",
            param="name",
            code="adapter_not_found",
        )


class _Some(Models):
    """Some of the models; what is loaded and unloaded is loaded and unloaded for all."""

    def __init__(self, whole: Models, allowed: Callable[[str, str | None], bool]) -> None:
        self._whole = whole
        self._allowed = allowed
        self._engines = {name: engine for name, engine in whole.engines.items() if allowed(name, None)}
        self._sources = {pair: source for pair, source in whole._sources.items() if allowed(*pair)}

    def names(self) -> list[str]:
        return [name for name in self._whole.names() if self._sees(self._whole.find(name))]

    def find(self, name: str) -> Target:
        with suppress(HttpError):  # which names all models
            target = self._whole.find(name)
            if self._sees(target):
                return target
        raise self._not_found(name, ambiguous=False)

    def _sees(self, target: Target) -> bool:
        return self._allowed(target.name, target.adapter)

    def adapters(self) -> list[tuple[AdapterSource, bool]]:
        return [one for one in self._whole.adapters() if self._allowed(one[0].model, one[0].name)]

    def load(self, name: str, model: str | None = None) -> AdapterSource:
        source = self._source(name, model)
        return self._whole.load(source.name, source.model)

    def unload(self, name: str, model: str | None = None) -> AdapterSource:
        source = self._source(name, model)
        return self._whole.unload(source.name, source.model)


def _check_name(name: str, pattern: re.Pattern[str], kind: str, expected: str) -> None:
    if not pattern.match(name):
        raise RequestError(
            f"this is no name for {'an' if kind == 'adapter' else 'a'} {kind}",
            parameter=kind,
            given=repr(name),
            expected=expected,
            fix="choose another with --name" if kind == "model" else "choose another NAME in --adapter NAME=PATH",
        )
