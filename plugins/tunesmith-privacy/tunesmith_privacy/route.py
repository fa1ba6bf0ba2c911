# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``POST /plugins/privacy/detect``: personal data in a text, found and masked."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tunesmith.errors import RequestError
from tunesmith.recipe.chosen import told
from tunesmith_privacy.detector import Detection
from tunesmith_privacy.masking import Masker, check_template

__all__ = ["Answer", "Body", "Piece", "detect"]

_LONGEST = 10_000
"""Characters. Some patterns of presidio take time that grows with the square: a second for the worst of this length."""


class Body(BaseModel):
    """A text, and what to look for in it.

    Attributes:
        text: at most 10,000 characters.
        language: of the text, in two or three letters.
        entities: what to look for; null: everything but DATE_TIME and UUID.
        countries: whose numbers to look for; null: those that go with the language.
        min_score: leave out what is less sure.
        replace: what stands in the place of what is found; ``{entity}`` in it is what it is.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=_LONGEST)
    language: str = "en"
    entities: list[str] | None = None
    countries: list[str] | None = None
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.4
    replace: str = Field(default="<{entity}>", max_length=100)


class Piece(BaseModel):
    """What was found: characters ``start`` to before ``end``."""

    entity: str
    start: int
    end: int
    score: float


class Answer(BaseModel):
    """What was found, in order, and the text without it."""

    found: list[Piece]
    masked: str


async def detect(request: Request, body: Body) -> Answer:
    """Find and mask personal data in a text, which is neither kept nor logged."""
    return await asyncio.to_thread(_answer, body)


def _answer(body: Body) -> Answer:
    try:
        # No model here: naming one would import a package of the client's choice.
        asked = Detection.model_validate(body.model_dump(include={"language", "entities", "countries", "min_score"}))
        check_template(body.replace, pseudonym=False)
    except ValidationError as error:
        raise RequestError("; ".join(told(error, "body", Detection)), fix="correct the request") from error
    except ValueError as error:
        raise RequestError(str(error), fix="correct the request") from error
    detector = asked.detector()
    found = detector.find(body.text)
    pieces = [Piece(entity=one.entity, start=one.start, end=one.end, score=one.score) for one in found]
    return Answer(found=pieces, masked=Masker(detector, replace=body.replace).text(body.text))
