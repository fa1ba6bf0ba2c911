# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Everything Tunesmith asks of a plugin: one call tries all that this one brings. Add tests of what only you know."""

from __future__ import annotations

from tunesmith.testing import check_plugin


def test_the_plugin_keeps_what_it_promises() -> None:
    check_plugin("<< name >>")
