# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the endpoints work with: the models, the limits, and the way to an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from tunesmith.engine.protocol import Engine
from tunesmith.engine.requests import GenerateRequest
from tunesmith.engine.requests import Request as EngineRequest
from tunesmith.engine.stream import Stream
from tunesmith.errors import RequestError
from tunesmith.serve.exchange import Exchange, exchange_of
from tunesmith.serve.limits import Limits
from tunesmith.serve.metrics import Metrics
from tunesmith.serve.models import Models, Target
from tunesmith.serve.problems import HttpError, http_error, invalid
from tunesmith.serve.scheduled import origin_of

__all__ = ["SERVICE", "Service", "answer", "service_of"]

SERVICE = "tunesmith.service"
"""Where a request's scope holds the service of its application."""

T = TypeVar("T")


@dataclass(slots=True)
class Service:
    """Shared by all endpoints of one application.

    Attributes:
        draining: whether the server is about to stop.
        classes: of requests, that the scheduler has; none: there is no scheduler, or it has none.
    """

    models: Models
    limits: Limits
    metrics: Metrics
    draining: Callable[[], bool]
    classes: Sequence[str] = ()

    def find(self, exchange: Exchange, name: str) -> Target:
        """The model of this name, if the caller may ask it.

        Raises:
            HttpError: 404, there is none of that name; 403, the caller may not ask it. Who may ask only some models is
                not told which others there are.
        """
        caller = exchange.caller
        if caller is None or not caller.models:
            return self.models.find(name)
        with suppress(HttpError):
            target = self.models.find(name)
            if caller.may_ask(target.name, target.adapter):
                return target
        raise HttpError(
            403,
            f"you may not ask this model; given: {name[:200]}; you may ask: {', '.join(caller.models)[:1000]}",
            kind="permission_error",
            param="model",
            code="model_not_allowed",
        )

    def target(self, exchange: Exchange, name: str, kind: str, tier: str | None = None) -> Target:
        """The model that a request asks, in the class that it names.

        Args:
            tier: its ``service_tier``.

        Raises:
            HttpError: 404, there is none of that name; 403, the caller may not ask it, or not in this class; 400, it
                does not answer such requests, or there is no such class.
        """
        target = self.find(exchange, name)
        exchange.model, exchange.adapter = target.name, target.adapter or ""
        exchange.origin = origin_of(exchange.caller, tier, self.classes)
        info = target.engine.info
        if kind not in info.kinds:
            raise invalid(
                f"the model {target.name} ({info.task}) does not answer requests of this kind ({kind}); "
                f"it answers: {', '.join(sorted(info.kinds)) or 'none'}",
                "model",
                "wrong_kind",
            )
        return target

    async def submit(
        self,
        exchange: Exchange,
        target: Target,
        request: EngineRequest,
        names: Mapping[str, str] | None = None,
        *,
        may_shorten: bool = False,
    ) -> Stream:
        """Hand a request to its engine. The stream ends with the exchange, whatever happens.

        Args:
            names: how the engine's parameters are called in this request, for the error.
            may_shorten: ``max_new_tokens`` is the server's and not the client's: where the context leaves room for
                fewer, that many.
        """
        # In a thread, because an engine may read a long prompt before it gives back the stream.
        request = replace(request, origin=exchange.origin)
        work = partial(_submit, target.engine, request, exchange.remaining, may_shorten)
        future = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            stream = await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_cancel_late)
            raise
        except ValueError as error:  # RequestError is one
            raise http_error(error, names, exchange.id) from error
        exchange.streams.append(stream)
        return stream

    async def aside(self, work: Callable[..., T], *args: Any) -> T:
        """Do something that takes a while in a thread."""
        return await asyncio.get_running_loop().run_in_executor(None, partial(work, *args))


def _submit(engine: Engine, request: EngineRequest, timeout: float | None, may_shorten: bool) -> Stream:
    try:
        return engine.submit(request, timeout=timeout)
    except RequestError as error:
        if not (may_shorten and isinstance(request, GenerateRequest) and error.parameter == "max_new_tokens"):
            raise
    return engine.submit(replace(request, max_new_tokens=None), timeout=timeout)


def _cancel_late(future: asyncio.Future[Stream]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().cancel()


def service_of(request: Request) -> tuple[Service, Exchange]:
    """The application's, with the models that the caller may ask and no others; and the request's own."""
    service: Service = request.scope[SERVICE]
    exchange = exchange_of(request.scope)
    caller = exchange.caller
    if caller is not None and caller.models:
        service = replace(service, models=service.models.only(caller.may_ask))
    return service, exchange


def answer(body: BaseModel, headers: Mapping[str, Any] | None = None) -> Response:
    """A typed answer; parts that were never set are left out."""
    return Response(
        body.model_dump_json(exclude_unset=True), media_type="application/json", headers=dict(headers or {})
    )
