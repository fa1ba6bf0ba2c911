# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers without generation: embeddings, labels, scores, rankings; and tokens as the model sees them."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from tunesmith.engine.answers import Embeddings, Predictions, Ranking
from tunesmith.engine.requests import EmbedRequest, PredictRequest, RankRequest
from tunesmith.serve.chat import messages_of
from tunesmith.serve.completions import prompts_of
from tunesmith.serve.generation import check_chars, need, usage_of
from tunesmith.serve.predictions_schema import (
    ClassifyAnswer,
    ClassifyBody,
    DetokenizeAnswer,
    DetokenizeBody,
    EmbeddingsAnswer,
    EmbeddingsBody,
    RerankAnswer,
    RerankBody,
    ScoreAnswer,
    ScoreBody,
    TokenizeAnswer,
    TokenizeBody,
)
from tunesmith.serve.problems import http_error, invalid
from tunesmith.serve.service import answer, service_of

__all__ = ["classify", "detokenize", "embeddings", "rerank", "score", "tokenize"]

_IMAGES = "image-classification"


async def embeddings(request: Request, body: EmbeddingsBody) -> Response:
    """A vector of length 1 for each text."""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "embed", body.service_tier)
    texts = prompts_of(body.input, "input", service)
    if any(not isinstance(text, str) for text in texts):
        need(target.engine.info, "token_prompts", "input", "texts of token ids")
    asked = EmbedRequest(texts=tuple(texts), adapter=target.adapter)  # type: ignore[arg-type]
    found: Embeddings = await (await service.submit(exchange, target, asked, {"texts": "input"}))
    width = found.vectors.shape[1]
    if body.dimensions not in (None, width):
        raise invalid(
            f"vectors are not cut; given: {body.dimensions} dimensions; expected: {width}, or nothing",
            "dimensions",
            "unsupported_parameter",
        )
    exchange.count(found.usage)
    if body.encoding_format == "base64":
        vectors: list[Any] = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in found.vectors]
    else:
        vectors = found.vectors.tolist()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": found.usage.prompt_tokens, "total_tokens": found.usage.prompt_tokens}
    return answer(
        EmbeddingsAnswer.model_validate({"object": "list", "data": data, "model": body.model, "usage": usage})
    )


async def classify(request: Request, body: ClassifyBody) -> Response:
    """What the model was trained to say of each row: a label with its probability, entities, a number …"""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "predict", body.service_tier)
    rows: list[Any] = body.input if isinstance(body.input, list) else [body.input]
    check_chars((text for row in rows for text in _texts(row)), "input", service.limits)
    info = target.engine.info
    if info.task == _IMAGES:
        rows = [_image(row, number) for number, row in enumerate(rows)]
    asked = PredictRequest(rows=tuple(rows), adapter=target.adapter)
    found: Predictions = await (await service.submit(exchange, target, asked, {"rows": "input"}))
    exchange.count(found.usage)
    data = [_classified(index, row, info.labels) for index, row in enumerate(found.rows)]
    return answer(
        ClassifyAnswer.model_validate(_head("classify", body.model) | {"data": data, "usage": usage_of(found.usage)})
    )


def _classified(index: int, row: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"index": index, "answer": dict(row)}
    by_label = row.get("probabilities")
    if isinstance(by_label, Mapping):
        order = labels or tuple(by_label)
        told |= {"probs": [by_label.get(label, 0.0) for label in order], "num_classes": len(order)}
    for name in ("label", "labels", "probability"):
        if name in row:
            told[name] = row[name]
    return told


def _texts(row: Any) -> list[str]:
    if isinstance(row, str):
        return [row]
    return [value for value in row.values() if isinstance(value, str)]


def _image(row: Any, number: int) -> bytes:
    """The bytes of a ``data:`` URL; nothing is fetched from anywhere."""
    text = row.get("image") if isinstance(row, dict) else row
    head, comma, data = text.partition(",") if isinstance(text, str) else ("", "", "")
    if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
        raise invalid("an image comes as data:image/…;base64,…", f"input[{number}]", "invalid_value")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("this is no base64", f"input[{number}]", "invalid_value") from None


async def score(request: Request, body: ScoreBody) -> Response:
    """How well each text answers another; greater is better."""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "rank", body.service_tier)
    documents = [body.text_2] if isinstance(body.text_2, str) else body.text_2
    queries = [body.text_1] if isinstance(body.text_1, str) else body.text_1
    if len(queries) not in (1, len(documents)):
        raise invalid(
            f"text_1 is one text, or as many as text_2; given: {len(queries)} and {len(documents)}",
            "text_1",
            "invalid_value",
        )
    check_chars([*queries, *documents], "text_2", service.limits)
    pairs = (
        [(queries[0], documents)] if len(queries) == 1 else [(q, [d]) for q, d in zip(queries, documents, strict=True)]
    )
    streams = [
        await service.submit(exchange, target, RankRequest(query=query, documents=tuple(some), adapter=target.adapter))
        for query, some in pairs
    ]
    scores: list[float] = []
    for stream in streams:
        ranking: Ranking = await stream
        exchange.count(ranking.usage)
        scores.extend(ranking.scores)
    data = [{"index": index, "object": "score", "score": value} for index, value in enumerate(scores)]
    return answer(
        ScoreAnswer.model_validate(_head("score", body.model) | {"data": data, "usage": usage_of(exchange.usage)})
    )


async def rerank(request: Request, body: RerankBody) -> Response:
    """Documents, those that answer the query best first."""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "rank", body.service_tier)
    check_chars([body.query, *body.documents], "documents", service.limits)
    asked = RankRequest(query=body.query, documents=tuple(body.documents), adapter=target.adapter)
    found: Ranking = await (await service.submit(exchange, target, asked))
    exchange.count(found.usage)
    order = sorted(range(len(found.scores)), key=lambda index: -found.scores[index])[: body.top_n]
    results: list[dict[str, Any]] = [{"index": index, "relevance_score": found.scores[index]} for index in order]
    if body.return_documents:
        for result in results:
            result["document"] = {"text": body.documents[result["index"]]}
    whole = {
        "id": f"rerank-{secrets.token_hex(12)}",
        "model": body.model,
        "results": results,
        "usage": usage_of(found.usage),
    }
    return answer(RerankAnswer.model_validate(whole))


async def tokenize(request: Request, body: TokenizeBody) -> Response:
    """The token ids that the model would read."""
    service, exchange = service_of(request)
    target = service.find(exchange, body.model)
    exchange.model, exchange.adapter = target.name, target.adapter or ""
    if (body.prompt is None) == (body.messages is None):
        raise invalid("send prompt or messages, one of them", "prompt", "invalid_value")
    if body.messages is not None:
        prompt: Any = messages_of(body.messages, target.engine.info.chats, service.limits)
    else:
        prompt = body.prompt
        check_chars([prompt], "prompt", service.limits)
    try:
        ids = await service.aside(target.engine.tokenize, prompt)
    except ValueError as error:
        raise http_error(error, {"prompt": "prompt" if body.messages is None else "messages"}, exchange.id) from error
    return answer(TokenizeAnswer(tokens=list(ids), count=len(ids), max_model_len=target.engine.info.context))


async def detokenize(request: Request, body: DetokenizeBody) -> Response:
    """The text of token ids."""
    service, exchange = service_of(request)
    target = service.find(exchange, body.model)
    exchange.model, exchange.adapter = target.name, target.adapter or ""
    try:
        text = await service.aside(target.engine.detokenize, body.tokens)
    except ValueError as error:
        raise http_error(error, {"ids": "tokens", "prompt": "tokens"}, exchange.id) from error
    return answer(DetokenizeAnswer(prompt=text))


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"{kind}-{secrets.token_hex(12)}", "object": "list", "created": int(time.time()), "model": model}
