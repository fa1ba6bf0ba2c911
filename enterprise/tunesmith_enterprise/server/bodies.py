# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What requests say: exactly these fields, each of exactly its type."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ClaimBody", "RenewBody"]

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Quantity = Annotated[int, Field(ge=1, le=1_000_000_000)]
FeatureBody = Annotated[
    dict[Identifier, Annotated[dict[Identifier, Quantity], Field(max_length=16)]], Field(min_length=1, max_length=64)
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ClaimBody(_Strict):
    """POST /v1/leases."""

    node: Identifier
    nonce: Identifier
    features: FeatureBody
    pool: Identifier | None = None
    borrow_days: Annotated[int, Field(ge=1, le=366)] | None = None


class RenewBody(_Strict):
    """POST /v1/leases/{id}/renew."""

    nonce: Identifier
    features: FeatureBody | None = None
