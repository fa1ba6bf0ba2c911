# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license …``: the commands that join the core's group. Each is imported when the group is asked for."""

from __future__ import annotations

import typer

from tunesmith_enterprise.commands.activation import activate, deactivate, request
from tunesmith_enterprise.commands.changing import install, remove
from tunesmith_enterprise.commands.doctor import doctor
from tunesmith_enterprise.commands.journal import audit, usage
from tunesmith_enterprise.commands.lease import app as lease
from tunesmith_enterprise.commands.looking import check, features, show, simulate_expiry, status

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def license_() -> None:
    """Licenses of this installation."""


app.command()(install)
app.command()(show)
app.command()(status)
app.command()(check)
app.command()(features)
app.command()(doctor)
app.command()(request)
app.command()(activate)
app.command()(deactivate)
app.command()(remove)
app.command("simulate-expiry")(simulate_expiry)
app.add_typer(lease, name="lease")
app.add_typer(usage, name="usage")
app.add_typer(audit, name="audit")
