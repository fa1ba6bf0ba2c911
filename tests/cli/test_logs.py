# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import logging

import pytest

from tunesmith_cli.logs import shown
from tunesmith_cli.settings import Settings

logger = logging.getLogger("tunesmith.something")


def said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    with shown(settings):
        logger.debug("details")
        logger.warning("%d rows cut", 3)
        logger.error("a plugin failed")
    logger.warning("after")
    return capsys.readouterr().err


def test_warnings_are_notes(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(Settings(), capsys) == "note: 3 rows cut\nnote: a plugin failed\n"


def test_quiet_keeps_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(Settings(quiet=True), capsys) == "note: a plugin failed\n"


def test_debug_shows_all_with_the_logger(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(Settings(debug=True), capsys).startswith("debug tunesmith.something: details\nwarning tunesmith.")


def test_the_logger_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    parent = logging.getLogger("tunesmith")
    before = (parent.level, parent.propagate, list(parent.handlers))
    said(Settings(), capsys)
    assert (parent.level, parent.propagate, list(parent.handlers)) == before
