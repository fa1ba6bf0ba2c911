# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hook. TensorBoard's modules are imported when a recipe names the tracker, not when plugins are listed."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import TrackerSpec, hookimpl


@hookimpl
def tunesmith_trackers() -> Iterable[TrackerSpec]:
    """Where figures go."""
    return [
        TrackerSpec(
            name="tensorboard",
            summary="An event file in the run folder, for TensorBoard",
            target="tunesmith_tensorboard.tracker:TensorBoard",
        )
    ]
