# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The models that are served, health, figures; and, for administrators, adapters."""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from tunesmith.errors import ModelError, RequestError
from tunesmith.serve.models import Target
from tunesmith.serve.problems import HttpError
from tunesmith.serve.schema import Body
from tunesmith.serve.service import Service, answer, service_of

__all__ = [
    "AdapterBody",
    "AdaptersAnswer",
    "HealthAnswer",
    "ModelAnswer",
    "ModelsAnswer",
    "adapters",
    "live",
    "load_adapter",
    "metrics",
    "model",
    "models",
    "ready",
    "unload_adapter",
]


class ModelAnswer(BaseModel):
    """One model, or one model with an adapter (``parent`` is then the model)."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: Literal["tunesmith"]
    parent: str | None
    task: str
    kinds: list[str]
    chats: bool
    features: list[str]
    context: int | None
    labels: list[str]


class ModelsAnswer(BaseModel):
    """All that can be asked."""

    object: Literal["list"]
    data: list[ModelAnswer]


class HealthAnswer(BaseModel):
    """How the server is."""

    status: Literal["live", "ready", "draining"]


class AdapterBody(Body):
    """An adapter of the list given at the start; ``model`` where several models have one of this name."""

    name: str
    model: str | None = None


class AdapterAnswer(BaseModel):
    """An adapter of the list, and whether it is loaded."""

    name: str
    model: str
    loaded: bool


class AdaptersAnswer(BaseModel):
    """The list."""

    data: list[AdapterAnswer]


async def models(request: Request) -> Response:
    """Everything that ``model`` may say."""
    service, _ = service_of(request)
    data = [_told(name, service.models.find(name)) for name in service.models.names()]
    return answer(ModelsAnswer(object="list", data=data))


async def model(request: Request, name: str) -> Response:
    """One of them."""
    service, exchange = service_of(request)
    return answer(_told(name, service.find(exchange, name)))


def _told(name: str, target: Target) -> ModelAnswer:
    info = target.engine.info
    return ModelAnswer(
        id=name,
        object="model",
        created=info.created,
        owned_by="tunesmith",
        parent=target.name if target.adapter else None,
        task=info.task,
        kinds=sorted(info.kinds),
        chats=info.chats,
        features=sorted(info.features),
        context=info.context,
        labels=list(info.labels),
    )


async def live(request: Request) -> Response:
    """Whether the server answers at all."""
    return answer(HealthAnswer(status="live"))


async def ready(request: Request) -> Response:
    """Whether it takes requests; 503 while it is about to stop."""
    service, _ = service_of(request)
    if service.draining():
        return JSONResponse({"status": "draining"}, 503)
    return answer(HealthAnswer(status="ready"))


async def metrics(request: Request) -> Response:
    """Figures in Prometheus' text format."""
    service, _ = service_of(request)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def adapters(request: Request) -> Response:
    """The adapters that may be loaded."""
    service, _ = service_of(request)
    return _listed(service)


async def load_adapter(request: Request, body: AdapterBody) -> Response:
    """Load one of them, while others are served."""
    service, _ = service_of(request)
    try:
        await service.aside(service.models.load, body.name, body.model)
    except (ModelError, RequestError) as error:  # its words name folders of the server: for the log, not for the client
        raise HttpError(409, f"the adapter {body.name[:100]} does not load: {error.what}", param="name") from error
    return _listed(service)


async def unload_adapter(request: Request, body: AdapterBody) -> Response:
    """Give its memory back, when the requests under way with it have ended."""
    service, _ = service_of(request)
    await service.aside(service.models.unload, body.name, body.model)
    return _listed(service)


def _listed(service: Service) -> Response:
    data = [
        AdapterAnswer(name=source.name, model=source.model, loaded=loaded)
        for source, loaded in service.models.adapters()
    ]
    return answer(AdaptersAnswer(data=data))
