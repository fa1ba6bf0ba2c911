# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where personal data stands in a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Field, model_validator

from tunesmith.errors import RecipeError
from tunesmith.recipe.section import Section

__all__ = ["SELDOM", "Detection", "Detector", "Found", "joined"]

SELDOM = ("DATE_TIME", "UUID")
"""Found where they are asked for by name only: most dates and identifiers say nothing of a person."""


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of personal data.

    Attributes:
        entity: what it is, as presidio names it: ``EMAIL_ADDRESS``.
        start: first character.
        end: behind the last.
        score: presidio's, from 0 to 1.
    """

    entity: str
    start: int
    end: int
    score: float


class Detection(Section):
    """What is looked for. Every use of it (transform, command, route) has these keys."""

    language: str = Field(default="en", pattern="^[a-z]{2,3}$")
    """Of the texts, in two or three letters: by it words are cut, and the numbers of its countries are known."""
    entities: list[Annotated[str, Field(min_length=1)]] | None = Field(default=None, min_length=1)
    """What to look for, e.g. `[EMAIL_ADDRESS, PHONE_NUMBER]`. Default: everything but DATE_TIME and UUID."""
    countries: list[Annotated[str, Field(pattern="^[a-z]{2}$")]] | None = None
    """Whose numbers to look for, e.g. `[us, uk, de]`. Default: those that presidio turns on for the language."""
    model: str | None = Field(default=None, min_length=1)
    """Name of an installed package of spaCy, for names of persons and places. Default: none; these are not found."""
    min_score: float = Field(default=0.4, ge=0, le=1)
    """Findings of which presidio is less sure are left alone."""

    @model_validator(mode="after")
    def _can_be_done(self) -> Detection:
        try:
            self.detector()
        except RecipeError as error:
            raise ValueError(f"{error.what}: given {error.given}, expected {error.expected}") from error
        return self

    def detector(self) -> Detector:
        """Does it. Equal settings share one.

        Raises:
            RecipeError: a language, country, model or entity that is not there.
        """
        return _detector(
            self.language,
            None if self.entities is None else tuple(self.entities),
            None if self.countries is None else tuple(self.countries),
            self.model,
            float(self.min_score),
        )


class Detector:
    """Finds personal data in texts of one language, offline. Arguments as the fields of :class:`Detection`."""

    def __init__(
        self,
        language: str = "en",
        *,
        entities: Sequence[str] | None = None,
        countries: Sequence[str] | None = None,
        model: str | None = None,
        min_score: float = 0.4,
    ) -> None:
        from tunesmith_privacy.recognizers import engine

        self._engine = engine(language, model, countries)
        self._language, self._least = language, min_score
        known = sorted(self._engine.get_supported_entities(language))
        unknown = [entity for entity in entities or () if entity not in known]
        if unknown:
            raise RecipeError(
                "nothing here finds this kind of personal data",
                given=", ".join(unknown),
                expected=f"any of {', '.join(known)}",
                fix="names and places need a model of spaCy (`model`), numbers of other countries `countries`",
            )
        self.entities = tuple(entities or (entity for entity in known if entity not in SELDOM))

    def find(self, text: str) -> Sequence[Found]:
        """What stands in the text, in order, without overlaps: what two recognizers claim in part is one piece.

        Raises:
            UnicodeEncodeError: half of a character stands alone in the text.
        """
        if not text.strip():
            return ()
        results = self._engine.analyze(
            text, language=self._language, entities=list(self.entities), score_threshold=self._least
        )
        return joined(Found(one.entity_type, one.start, one.end, round(float(one.score), 4)) for one in results)


def joined(found: Iterable[Found]) -> tuple[Found, ...]:
    """The pieces in order; those that overlap as one, named after the surest of them, then the longest."""
    groups: list[list[Found]] = []
    reach = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end, one.entity)):
        if groups and one.start < reach:
            groups[-1].append(one)
        else:
            groups.append([one])
        reach = max(reach, one.end) if len(groups[-1]) > 1 else one.end
    return tuple(_one(group) for group in groups)


def _one(group: Sequence[Found]) -> Found:
    best = min(group, key=lambda one: (-one.score, one.start - one.end, one.start, one.entity))
    return Found(best.entity, min(one.start for one in group), max(one.end for one in group), best.score)


@lru_cache(maxsize=8)
def _detector(
    language: str,
    entities: tuple[str, ...] | None,
    countries: tuple[str, ...] | None,
    model: str | None,
    min_score: float,
) -> Detector:
    return Detector(language, entities=entities, countries=countries, model=model, min_score=min_score)
