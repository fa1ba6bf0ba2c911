# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The application: routes inside, and around them the layers that every request goes through."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tunesmith import __version__
from tunesmith.engine.protocol import Engine
from tunesmith.engine.scheduling import Scheduler
from tunesmith.plugin import RequestServed
from tunesmith.serve import operations as ops
from tunesmith.serve import predictions as pred
from tunesmith.serve import predictions_schema as shapes
from tunesmith.serve.access import Door
from tunesmith.serve.callers import Access, check_one
from tunesmith.serve.chat import chat_completions
from tunesmith.serve.chat_schema import ChatAnswer
from tunesmith.serve.completions import CompletionAnswer, completions
from tunesmith.serve.front import Front
from tunesmith.serve.intake import Intake
from tunesmith.serve.json_body import JsonError, parse_json
from tunesmith.serve.keys import Keys
from tunesmith.serve.limits import LIMITS, Limits
from tunesmith.serve.metrics import Metrics
from tunesmith.serve.models import AdapterSource, Models
from tunesmith.serve.page import page as page_route
from tunesmith.serve.plugins import Observing, PluginRoute, find_routes, teller_of_endings
from tunesmith.serve.problems import ErrorAnswer, invalid
from tunesmith.serve.responses import responses
from tunesmith.serve.responses_schema import ResponseAnswer
from tunesmith.serve.service import SERVICE, Service

__all__ = ["Application"]

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "Malformed, unknown, or not supported: `param` names it",
        401: "No key, or not one that the server knows",
        403: "The key's scope does not reach so far",
        404: "No such model",
        405: "Another method",
        408: "The body did not arrive in time",
        409: "It does not fit what is there",
        413: "The body is too large",
        415: "Not JSON, or compressed",
        421: "Another host's name",
        422: "More than this server allows",
        431: "Path and headers are too long",
        429: "Too many at once; Retry-After says when to ask again",
        500: "The server's fault; its log has the reason under X-Request-Id",
        503: "About to stop",
        504: "Not done in time",
    }.items()
}

_LAST_WORDS = 5.0  # seconds that observers have for what is not told yet when the server ends


class Application:
    """Engines behind HTTP: an ASGI application.

    Args:
        engines: by the name they are served under.
        adapters: that may be loaded, and are; administrators may unload and load them again.
        keys: who may ask; without any, everybody who can reach the server.
        access: says who may ask, in place of keys.
        limits: for every request.
        scheduler: that the engines were opened with: its classes are what requests may name as ``service_tier``.
        loopback: only names of this machine are answered.
        page: the playground at ``/``.
        routes: full or short names of plugins' routes to serve, under ``/plugins/``.
        observers: called with a ``RequestServed`` after every request, in the server's thread: they must be quick. One
            that raises is logged once and called no more.

    Raises:
        RequestError: a name is taken twice, or there are keys and an access.
        NotFoundError: an adapter is for a model that is not served, or no plugin has a route of that name.
        ModelError: an adapter does not fit its model.
        PluginError: a plugin's route cannot be used.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        *,
        adapters: Sequence[AdapterSource] = (),
        keys: Keys | None = None,
        access: Access | None = None,
        limits: Limits | None = None,
        scheduler: Scheduler | None = None,
        loopback: bool = True,
        page: bool = True,
        routes: Sequence[str] = (),
        observers: Sequence[Callable[[RequestServed], None]] = (),
    ) -> None:
        check_one(keys, access)
        self.limits = limits or Limits()
        self.models = Models(engines, adapters)
        self.models.load_all()
        self.metrics = Metrics(
            self.models.engines, lambda: self.in_flight, callers=access is not None, scheduler=scheduler
        )
        self._observing = Observing()
        self.observers: list[Callable[[RequestServed], None]] = list(observers)
        if self._observing.wanted:
            self.observers.append(self._observing)
        added = find_routes(routes)
        # Routes of the same names are alike in all applications; what they work with comes with the request.
        self.api = _api(page, added)
        self._intake = Intake(self.api, self.limits)
        classes = () if scheduler is None else tuple(scheduler.classes)
        self._service = Service(self.models, self.limits, self.metrics, lambda: self.draining, classes)
        door: ASGIApp = Door(
            self._intake,
            routes=self.api.routes,
            rules={(route.method, route.path): route.access for route in added},
            keys=keys or Keys(),
            access=access,
            loopback=loopback,
            header_bytes=self.limits.header_bytes,
        )
        self._front = Front(door, self.metrics, self.observers, ending=teller_of_endings())

    def finish(self) -> None:
        """No request comes any more: plugins are told of the last ones, for a few seconds at most."""
        self._observing.join(_LAST_WORDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SERVICE] = self._service
        await self._front(scope, receive, send)

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._intake.in_flight

    @property
    def draining(self) -> bool:
        """Whether it takes nothing new."""
        return self._intake.draining

    def drain(self) -> None:
        """Take nothing new from now on."""
        self._intake.draining = True


class _Api(FastAPI):
    """FastAPI for its routes and its description; errors are answered by the layers around it, in one way."""

    def build_middleware_stack(self) -> ASGIApp:
        return AsyncExitStackMiddleware(self.router)


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return parse_json(await self.body(), depth=LIMITS.get().json_depth)
        except JsonError as error:
            raise invalid(f"the body is no JSON that this server reads: {error}", code="invalid_json") from error


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            LIMITS.set(request.scope[SERVICE].limits)
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle


@cache
def _api(page: bool, added: tuple[PluginRoute, ...]) -> FastAPI:
    api = _Api(
        title="Tunesmith",
        version=__version__,
        description="Models trained with Tunesmith, over HTTP, in the manner of OpenAI's API.",
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    api.router.route_class = _StrictRoute
    gets: list[tuple[str, Callable[..., Any], Any]] = [
        ("/health/live", ops.live, ops.HealthAnswer),
        ("/health/ready", ops.ready, ops.HealthAnswer),
        ("/metrics", ops.metrics, None),
        ("/v1/models", ops.models, ops.ModelsAnswer),
        ("/v1/models/{name:path}", ops.model, ops.ModelAnswer),
        ("/admin/adapters", ops.adapters, ops.AdaptersAnswer),
    ]
    posts: list[tuple[str, Callable[..., Any], Any]] = [
        ("/v1/chat/completions", chat_completions, ChatAnswer),
        ("/v1/completions", completions, CompletionAnswer),
        ("/v1/responses", responses, ResponseAnswer),
        ("/v1/embeddings", pred.embeddings, shapes.EmbeddingsAnswer),
        ("/v1/classify", pred.classify, shapes.ClassifyAnswer),
        ("/v1/score", pred.score, shapes.ScoreAnswer),
        ("/v1/rerank", pred.rerank, shapes.RerankAnswer),
        ("/tokenize", pred.tokenize, shapes.TokenizeAnswer),
        ("/detokenize", pred.detokenize, shapes.DetokenizeAnswer),
        ("/admin/adapters/load", ops.load_adapter, ops.AdaptersAnswer),
        ("/admin/adapters/unload", ops.unload_adapter, ops.AdaptersAnswer),
    ]
    for method, routes in (("GET", gets), ("POST", posts)):
        for path, endpoint, model in routes:
            api.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=_ERRORS, name=endpoint.__name__
            )
    for route in added:
        api.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            responses=_ERRORS,
            summary=route.summary,
            name=route.path,
        )
    if page:
        api.add_api_route("/", page_route, methods=["GET"], include_in_schema=False)
    return api
