# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The engine: requests in vLLM's words, to a vLLM of one's own."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tunesmith.engine.protocol import conversation
from tunesmith.engine.remote import RemoteEngine
from tunesmith.engine.remote_words import body_of
from tunesmith.engine.requests import GenerateRequest, Request, Sampling
from tunesmith.engine.stream import Stream
from tunesmith.errors import ModelError, OfflineError, TunesmithError
from tunesmith_vllm.process import HOST, Process
from tunesmith_vllm.settings import Settings

__all__ = ["VllmEngine"]

_log = logging.getLogger(__name__)

_RENDERING = "rendering.json"
_CHATS = ("tunesmith/chat", "tunesmith/preference")
_SETTINGS = ("temperature", "top_k", "top_p")


class VllmEngine(RemoteEngine):
    """An ``Engine`` that is a vLLM, started here and ended with it.

    Args:
        address: a run, which is exported (``merged``) for it, or a model folder.
        name: of the model, as clients ask for it. Default: the folder's.
        slots: requests under way at once.
        waiting: requests in the queue at most.

    Raises:
        ModelError: there is no vLLM, no such model, or it did not start.
        ParityError: the run's export does not answer as the run does.
    """

    def __init__(self, address: str, *, name: str | None = None, slots: int = 8, waiting: int = 128) -> None:
        settings, path = Settings.read(), Path(address).expanduser()
        with ExitStack() as undo:
            folder = _folder(path, undo)
            name = name or path.resolve().name
            self._process = Process(
                [
                    *(str(settings.command), "serve", str(folder)),
                    *("--served-model-name", name),
                    # Else it would add the folder's settings to whatever a request says, unasked.
                    *("--generation-config", "vllm"),
                    *("--max-num-seqs", str(slots)),
                    *settings.arguments,
                ]
            )
            undo.callback(self._process.close)
            _log.info("%s: vLLM starts; its log is %s", name, self._process.log)
            self._process.wait(settings.seconds)
            super().__init__(
                f"http://{HOST}:{self._process.port}/v1#{name}",
                name=name,
                slots=slots,
                waiting=waiting,
                key=self._process.key,
            )
            task, sampling = _as_trained(folder)
            self._info = replace(
                self._info,
                task=task or self._info.task,
                chats=not task or f"tunesmith/{task}" in _CHATS,
                features=self._info.features | {"token_prompts"},
                context=_context(self._process),
                sampling=sampling,
            )
            self._undo = undo.pop_all()

    def submit(self, request: Request, *, timeout: float | None = None) -> Stream:
        """As :meth:`tunesmith.engine.Engine.submit`.

        Raises:
            OfflineError: vLLM has ended.
        """
        if self._process.status is not None and not self._closed:
            raise self._ended()
        return super().submit(request, timeout=timeout)

    def _words(self, request: GenerateRequest) -> tuple[str, dict[str, Any]]:
        """OpenAI's words, and those that vLLM has beyond them."""
        sampling, prompt = request.sampling, request.prompt
        is_ids = not isinstance(prompt, str) and conversation(prompt) is None
        plain = replace(
            request,
            prompt="" if is_ids else prompt,
            stop_tokens=None,
            sampling=replace(sampling, top_k=0, min_p=0.0, repetition_penalty=1.0),
        )
        path, body = body_of(plain, self._model)
        if is_ids:
            body["prompt"] = list(prompt)
        for word, value, neutral in (
            ("top_k", sampling.top_k, 0),
            ("min_p", sampling.min_p, 0.0),
            ("repetition_penalty", sampling.repetition_penalty, 1.0),
        ):
            if value != neutral:
                body[word] = value
        if request.stop_tokens is not None:  # in the place of the model's own
            body |= {"stop_token_ids": sorted(request.stop_tokens), "ignore_eos": True}
        return path, body

    def _lost(self, work: Any, error: Exception) -> TunesmithError:
        # A process that dies closes its connections a moment before it can be seen to have died.
        return self._ended() if self._process.ends_within(1.0) else super()._lost(work, error)

    def _ended(self) -> OfflineError:
        return OfflineError(
            f"the vLLM behind {self._info.name} has ended, with status {self._process.status}",
            given=self._process.last_words() or "it said nothing",
            expected="a process that runs",
            fix=f"read {self._process.log}, and open the engine again",
        )

    def close(self) -> None:
        """As :meth:`tunesmith.engine.Engine.close`; vLLM ends, its log stays."""
        super().close()
        self._undo.close()


def _folder(path: Path, undo: ExitStack) -> Path:
    """Where vLLM finds the model: the folder itself, or an export of the run."""
    if (path / "run.json").is_file():
        from tunesmith.export import export_model

        place = Path(tempfile.mkdtemp(prefix="tunesmith-vllm-model-"))
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        return export_model(path, to="merged", out=place / path.resolve().name).path
    if not (path / "config.json").is_file():
        raise ModelError(
            "there is no model for vLLM",
            given=str(path),
            expected="a run, or a folder with config.json, model.safetensors and the tokenizer's files",
            fix="name a run, or export one: tunesmith export RUN --to merged --out FOLDER",
        )
    return path.resolve()


def _as_trained(folder: Path) -> tuple[str, Sampling]:
    """The task, "" where none is written down, and the model's own settings."""
    file = folder / _RENDERING
    if not file.is_file():
        return "", Sampling()
    content = json.loads(file.read_text(encoding="utf-8"))
    saved = content["state"].get("generation") or {}
    settings = {key: saved[key] for key in _SETTINGS if key in saved}
    return str(content["task"]).removeprefix("tunesmith/"), Sampling(**settings)


def _context(process: Process) -> int | None:
    """The longest prompt and answer together, as vLLM tells it."""
    connection = HTTPConnection(HOST, process.port, timeout=10.0)
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        try:
            connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {process.key}"})
            return int(json.loads(connection.getresponse().read())["data"][0]["max_model_len"])
        finally:
            connection.close()
    return None
