# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""HTTP: who may ask, bodies in, leases and refusals out. The protocol is docs/reference/license-server.md."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from typing import Final, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import parse_json
from tunesmith_enterprise.server.bodies import ClaimBody, RenewBody
from tunesmith_enterprise.server.refusals import Declined, StorageError
from tunesmith_enterprise.server.seats import Claim
from tunesmith_enterprise.server.service import LOGGER, PoolStatus, Service

__all__ = ["BODY_BYTES", "BODY_SECONDS", "make_app"]

BODY_BYTES: Final = 16_384
BODY_SECONDS: Final = 5.0

Body = TypeVar("Body", bound=BaseModel)


def make_app(service: Service, secret: str | None = None) -> FastAPI:
    """The application.

    Args:
        service: lends the seats.
        secret: that everybody who may ask knows; None: everybody who can connect may.
    """
    expected = None if secret is None else hashlib.sha256(secret.encode()).digest()

    def demand(request: Request) -> None:
        if expected is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Digests are of one length: how long the comparison takes says nothing about the secret.
        fits = hmac.compare_digest(hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(), expected)
        if scheme.lower() != "bearer" or not fits:
            raise Declined(
                401,
                "secret",
                "this license server asks for a shared secret, and none or another one was given",
                fix="set license_server_secret_file, or TUNESMITH_LICENSE_SERVER_SECRET_FILE",
            )

    app = FastAPI(title="Tunesmith license server", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Declined, _declined)
    app.add_exception_handler(StorageError, _storage)
    app.add_exception_handler(SignedDocumentError, _malformed)
    app.add_exception_handler(ClientDisconnect, _left)

    # Requests are read by hand, by plain routes: FastAPI's parameters read bodies of any size, for any time, and take a
    # name twice; and its way to the function was a fifth of the time of a renewal.

    async def claim(request: Request) -> Response:
        demand(request)
        body = await _read(request, ClaimBody)
        asked = Claim(body.node, body.nonce, body.features, body.borrow_days)
        lent = service.lent(await service.claim(asked, body.pool))
        answer = {"id": lent.lease_id, "lease": lent.lease, "pool": lent.pool, "secret": lent.secret}
        return JSONResponse(answer, status_code=201)

    async def renew(request: Request) -> Response:
        demand(request)
        body = await _read(request, RenewBody)
        lease = await service.renew(*_lease(request), body.nonce, body.features)
        return JSONResponse({"id": lease.lease_id, "lease": service.signed(lease)})

    async def release(request: Request) -> Response:
        demand(request)
        await service.release(*_lease(request))
        return Response(status_code=204)

    async def status(request: Request) -> Response:
        demand(request)
        return JSONResponse({"pools": [one.to_json(service.now()) for one in await service.status()]})

    async def metrics(request: Request) -> Response:
        demand(request)
        return PlainTextResponse(_metrics(await service.status(), service), media_type="text/plain; version=0.0.4")

    async def health(_request: Request) -> Response:
        await service.status()  # through the writer: a server that cannot write is not well
        return JSONResponse({"status": "ok"})

    app.add_route("/v1/leases", claim, methods=["POST"])
    app.add_route("/v1/leases/{lease_id}/renew", renew, methods=["POST"])
    app.add_route("/v1/leases/{lease_id}", release, methods=["DELETE"])
    app.add_route("/v1/status", status, methods=["GET"])
    app.add_route("/metrics", metrics, methods=["GET"])
    app.add_route("/health", health, methods=["GET"])
    return app


def _lease(request: Request) -> tuple[str, str]:
    """Which lease, and its secret."""
    return request.path_params["lease_id"], request.headers.get("tunesmith-lease-secret", "")


async def _read(request: Request, model: type[Body]) -> Body:
    """The body: whole within a time, not larger than it can be, JSON of one reading, and nothing unknown in it."""
    content = bytearray()
    try:
        async with _Deadline(BODY_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > BODY_BYTES:
                    raise Declined(413, "too-large", f"a body has at most {BODY_BYTES:,} bytes")
    except asyncio.TimeoutError:
        raise Declined(408, "too-slow", f"a body has to be there within {BODY_SECONDS:g} seconds") from None
    try:
        return model.model_validate(parse_json(bytes(content)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:64] for part in first["loc"]) or "the body"
        raise Declined(400, "bad-request", f"{where}: {first['msg']}", fix="see the protocol's page") from None


class _Deadline:
    """``asyncio.timeout``, which Python 3.10 does not have; ``wait_for`` makes a task for every body."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self._late = True
        self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self._timer.cancel()
        if self._late and kind is asyncio.CancelledError:
            if sys.version_info >= (3, 11):
                self._task.uncancel()
            raise asyncio.TimeoutError


async def _declined(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Declined)
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status in (408, 413):
        headers["connection"] = "close"
    return JSONResponse(error.to_json(), status_code=error.status, headers=headers)


async def _storage(_request: Request, error: Exception) -> Response:
    LOGGER.error("storage", extra={"facts": {"error": str(error)}})
    answer = Declined(503, "storage", "the license server cannot use its database; no seat was given", retry_after=5)
    return JSONResponse(answer.to_json(), status_code=503, headers={"retry-after": "5"})


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SignedDocumentError)
    return JSONResponse(Declined(400, "bad-request", error.what).to_json(), status_code=400)


async def _left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


def _metrics(found: list[PoolStatus], service: Service) -> str:
    """Prometheus's text form."""
    figures: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("tunesmith_license_pool_seats", "Seats of the pool.", [(_name(one), one.served.pool.seats) for one in found]),
        ("tunesmith_license_pool_in_use", "Leases now.", [(_name(one), one.usage.in_use) for one in found]),
        (
            "tunesmith_license_pool_borrowed",
            "Borrowed ones of them.",
            [(_name(one), one.usage.borrowed) for one in found],
        ),
        (
            "tunesmith_license_pool_expires_in_seconds",
            "Until the pool gives no new lease; pools without an end are not listed.",
            [
                (_name(one), (end - service.now()).total_seconds())
                for one in found
                if (end := one.served.end()) is not None
            ],
        ),
    ]
    lines = []
    for name, words, values in figures:
        lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
        lines += [
            f'{name}{{pool="{pool}"}} {value:g}' if isinstance(value, int) else f'{name}{{pool="{pool}"}} {value:.0f}'
            for pool, value in values
        ]
    return "\n".join(lines) + "\n"


def _name(one: PoolStatus) -> str:
    return one.served.pool.pool_id
