# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The requests of this installation that wait for an answer: it is taken once, and for a question that was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from tunesmith.errors import OutputError
from tunesmith.licensing import (
    SignedDocumentError,
    format_timestamp,
    items,
    members,
    parse_json,
    parse_timestamp,
    refusal,
)
from tunesmith.licensing.contents import ActivationRequest
from tunesmith.licensing.contents.parts import identifier
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["fits", "keep", "settle"]

_FILE: Final = "requests.json"
_MOST: Final = 16
_PATIENCE: Final = 5.0


def keep(state: StateFolder, request: ActivationRequest) -> None:
    """Remember that this was asked; of more than 16 the oldest are forgotten.

    Raises:
        OutputError: it cannot be kept, and no answer would be taken.
    """
    _change(state, lambda asked: {**asked, request.nonce: (request.license_id, request.made_at)})


def fits(state: StateFolder, nonce: str) -> None:
    """Whether an answer is for a question that waits.

    Raises:
        SignedDocumentError: it is not.
    """
    asked = _read(state)
    if nonce not in asked:
        latest = max((made_at for _, made_at in asked.values()), default=None)
        raise refusal(
            "value",
            "this answer is for no request that waits for one here",
            given="an answer that was taken already, or to a request that was forgotten",
            expected="an answer to a request of this installation"
            + (f", of which the latest is of {format_timestamp(latest)}" if latest else ""),
            fix=["look whether it is active: `tunesmith license status`", "or ask anew: `tunesmith license request`"],
        )


def settle(state: StateFolder, nonce: str) -> None:
    """The answer was taken; the same one is not taken again.

    Raises:
        OutputError: that cannot be kept.
    """
    _change(state, lambda asked: {other: facts for other, facts in asked.items() if other != nonce})


_Asked = dict[str, tuple[str, datetime]]


def _read(state: StateFolder) -> _Asked:
    """By their nonces. What is damaged is none: who has lost a request can make another."""
    try:
        content = state.read(_FILE)
        if content is None:
            return {}
        value = members(parse_json(content), "the requests", required=("schema", "requests"))
        found: _Asked = {}
        for item in items(value["requests"], "the requests", least=0, most=_MOST):
            one = members(item, "a request", required=("nonce", "license_id", "made_at"))
            nonce = identifier(one["nonce"], "the nonce")
            found[nonce] = (identifier(one["license_id"], "the license"), parse_timestamp(one["made_at"], "made_at"))
    except SignedDocumentError:
        return {}
    return found


def _change(state: StateFolder, change: Callable[[_Asked], _Asked]) -> None:
    try:
        with state.alone(_PATIENCE):
            asked = sorted(change(_read(state)).items(), key=lambda item: item[1][1])[-_MOST:]
            listed = [
                {"nonce": nonce, "license_id": license_id, "made_at": format_timestamp(made_at)}
                for nonce, (license_id, made_at) in asked
            ]
            state.write(_FILE, json.dumps({"schema": 1, "requests": listed}).encode())
    except OSError as error:
        raise OutputError(
            f"what was asked cannot be kept: {error.strerror or error}",
            given=state.path or "an account without a home",
            expected="a folder that can be written and stays until the answer comes",
            fix="set XDG_STATE_HOME to such a folder; in containers, mount one",
        ) from error
