# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What presidio looks for, set up so that nothing is ever fetched: no model, and no list of domains.

Without a model of spaCy there is a blank pipeline: it cuts a text into words, by which the words around a number raise
its score ("call me at …"), and knows no names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import presidio_analyzer.predefined_recognizers as predefined
import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine
from tldextract import TLDExtract

from tunesmith.errors import RecipeError

__all__ = ["engine", "known_countries"]

_GENERAL = (
    predefined.CreditCardRecognizer,
    predefined.CryptoRecognizer,
    predefined.DateRecognizer,
    predefined.IbanRecognizer,
    predefined.IpRecognizer,
    predefined.MacAddressRecognizer,
    predefined.UrlRecognizer,
    predefined.UuidRecognizer,
)
"""Of no country. presidio itself has some of them in a few languages only, which would leave silent gaps in others."""

# Never asked for over the network, nor kept in a folder of the person's home: the list that came with the package.
_suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None)


class _Email(predefined.EmailRecognizer):  # type: ignore[misc]
    """presidio's, but for where it looks up whether a domain ends in a public suffix."""

    def validate_result(self, pattern_text: str) -> bool:
        return bool(_suffixes(pattern_text).fqdn)


class _Words(SpacyNlpEngine):  # type: ignore[misc]
    """spaCy without presidio's download of a model that is missing."""

    def __init__(self, language: str, model: str | None) -> None:
        super().__init__(models=[{"lang_code": language, "model_name": model or ""}])
        self._language, self._model = language, model

    def load(self) -> None:
        """Make the pipeline.

        Raises:
            RecipeError: no such language, or the model is not installed.
        """
        pipeline = _blank(self._language) if self._model is None else _installed(self._model)
        # The limit is there for the memory that parsing takes; rows beyond a million characters are rare.
        pipeline.max_length = 10**9
        self.nlp = {self._language: pipeline}

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> Any:
        made = super()._doc_to_nlp_artifact(doc, language)
        if any(made.lemmas):
            return made
        # A blank pipeline has no lemmas, and presidio compares context words with nothing else.
        lemmas = [token.lower_ for token in doc]
        return NlpArtifacts(made.entities, doc, made.tokens_indices, lemmas, self, language, made.scores)


def engine(language: str, model: str | None, countries: Sequence[str] | None) -> AnalyzerEngine:
    """Everything that finds something.

    Args:
        language: two letters, as spaCy names it.
        model: an installed package of spaCy; None: a blank pipeline.
        countries: whose numbers to look for; None: what presidio turns on for the language.

    Raises:
        RecipeError: a language, model or country that is not there.
    """
    words = _Words(language, model)
    words.load()
    registry = RecognizerRegistry(supported_languages=[language])
    found = [kind(supported_language=language) for kind in (*_GENERAL, _Email)]
    regions = dict.fromkeys((*predefined.PhoneRecognizer.DEFAULT_SUPPORTED_REGIONS, *map(_region, countries or ())))
    found.append(predefined.PhoneRecognizer(supported_language=language, supported_regions=tuple(regions)))
    registry.recognizers = [*found, *_national(language, countries)]
    if model is not None:
        registry.add_nlp_recognizer(words)
    return AnalyzerEngine(registry=registry, nlp_engine=words, supported_languages=[language])


@lru_cache(maxsize=1)
def _kinds() -> dict[str, list[type[Any]]]:
    """Country to presidio's recognizers for it."""
    kinds: dict[str, list[type[Any]]] = {}
    for kind in vars(predefined).values():
        country = getattr(kind, "COUNTRY_CODE", None)
        if isinstance(kind, type) and issubclass(kind, EntityRecognizer) and isinstance(country, str):
            kinds.setdefault(country, []).append(kind)
    return dict(sorted(kinds.items()))


def known_countries() -> tuple[str, ...]:
    """Countries that presidio knows numbers of, in two letters each."""
    return tuple(_kinds())


def _national(language: str, countries: Sequence[str] | None) -> list[Any]:
    if countries is None:
        registry = RecognizerRegistry(supported_languages=[language])
        with _silent():
            registry.load_predefined_recognizers(languages=[language])
        return [one for one in registry.recognizers if one.country_code()]
    unknown = [country for country in countries if country not in _kinds()]
    if unknown:
        raise RecipeError(
            "there are no recognizers for this country",
            given=", ".join(unknown),
            expected=f"any of {', '.join(_kinds())}",
            fix="name no countries: numbers of no single country are always looked for",
        )
    return [kind(supported_language=language) for country in countries for kind in _kinds()[country]]


@contextmanager
def _silent() -> Iterator[None]:
    """presidio warns of each recognizer that it does not load because it is of another language."""
    logger = logging.getLogger("presidio-analyzer")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _region(country: str) -> str:
    """As phonenumbers names it."""
    return "GB" if country == "uk" else country.upper()


def _blank(language: str) -> Any:
    try:
        return spacy.blank(language)
    except (ImportError, ValueError) as error:  # unknown, or its words are cut by a package that is not installed
        raise RecipeError(
            "spaCy has no words of this language",
            given=language,
            expected="a language of spaCy in two or three letters, e.g. en, de, fr, zh",
            fix=str(error).splitlines()[0],
        ) from error


def _installed(model: str) -> Any:
    if not spacy.util.is_package(model):  # spaCy would also take a folder; presidio would fetch what is missing
        raise RecipeError(
            "this model of spaCy is not installed, and nothing is downloaded",
            given=model,
            expected="the name of an installed package, e.g. en_core_web_sm",
            fix="install the package, or name no model: names and places are then not looked for",
        )
    return spacy.load(model)
