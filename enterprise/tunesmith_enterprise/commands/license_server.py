# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license-server …``: lends the seats of a pool at one's own site."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result

if TYPE_CHECKING:
    from tunesmith_enterprise.server.storage import Storage

__all__ = ["app"]

DATABASE = "TUNESMITH_LICENSE_SERVER_DATABASE"

app = typer.Typer(help="Lend the seats of a pool at your own site.", no_args_is_help=True)
audit = typer.Typer(help="The log of what was lent, chained row by row.", no_args_is_help=True)
app.add_typer(audit, name="audit")

Folder = Annotated[Path, typer.Argument(help="The server's folder, made by 'init'.", show_default=False)]
Pools = Annotated[list[Path], typer.Option("--pool", metavar="FILE", help="A pool from the vendor; may be repeated.")]
Database = Annotated[
    str | None,
    typer.Option(
        envvar=DATABASE,
        metavar="URL",
        help="postgresql://user@host/name, for several server processes. Default: SQLite in FOLDER.",
        show_default=False,
        show_envvar=True,
    ),
]


@app.callback()
def license_server() -> None:
    """Lend the seats of a pool at your own site."""


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A folder for the server.")], as_json: AsJson = False) -> None:
    """Make the server's key; its public half goes to the vendor, who issues a pool for it."""
    from tunesmith_enterprise.server.keys import PUBLIC, make_key

    public = make_key(folder)
    if as_json:
        print_json({"public_key": public.text, "keyid": public.keyid, "file": str(folder / PUBLIC)})
        return
    result(public.text)
    note(f"send {folder / PUBLIC} to the vendor, and start the server with the pool that comes back:")
    note(f"  tunesmith license-server run {folder} --pool FILE")


@app.command()
def run(
    folder: Folder,
    pool: Pools,
    host: Annotated[
        str, typer.Option(help="Where to listen; another than this machine's own needs TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65535)] = 8470,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="The server's certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Let in only clients with a certificate of this authority.")
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the secret that clients have to know.")
    ] = None,
    database: Database = None,
) -> None:
    """Lend seats until stopped. SIGHUP reads the pools again, after a renewal."""
    _needs_server()
    from tunesmith_enterprise.server.keys import read_key
    from tunesmith_enterprise.server.running import Listening, log_to_stderr, read_secret
    from tunesmith_enterprise.server.running import run as run_server
    from tunesmith_enterprise.server.service import Service

    key = read_key(folder)
    listening = Listening(
        host=host,
        port=port,
        certificate=tls_cert,
        private_key=tls_key,
        client_authority=client_ca,
        secret=None if secret_file is None else read_secret(secret_file),
    )
    log_to_stderr()
    with closing(Service(key, _storage(folder, database), pool)) as service:
        run_server(service, listening, announce=lambda address: note(f"lending seats at {address}"))


@app.command()
def status(folder: Folder, database: Database = None, as_json: AsJson = False) -> None:
    """Show the pools, and who holds how many seats. Also while the server runs."""
    _needs_server()
    from tunesmith_enterprise.server.service import status_of, utc_now

    now = utc_now()
    with closing(_storage(folder, database)) as storage, storage.transaction() as transaction:
        found = [one.to_json(now) for one in status_of(transaction, now)]
    if as_json:
        print_json({"pools": found})
        return
    if not found:
        note("no pool has been served yet")
    for one in found:
        away = f", {one['borrowed']} of them borrowed" if one["borrowed"] else ""
        result(f"{one['pool']}: {one['in_use']} of {one['seats']} seats in use{away}; {one['standing']}")
        for holder in one["holders"]:
            result(f"  {holder['seats']:>4}  {holder['node']}")


@audit.command("verify")
def audit_verify(folder: Folder, database: Database = None, as_json: AsJson = False) -> None:
    """Check that no row was changed, taken out, put in or moved. Exit code 1: one was."""
    _needs_server()
    from tunesmith_enterprise.server.audit import Broken, verify

    with closing(_storage(folder, database)) as storage, storage.transaction() as transaction:
        found = verify(transaction.connection)
    if isinstance(found, Broken):
        if as_json:
            print_json({"whole": False, "first_broken": found.seq, "why": found.why})
        else:
            result(f"the audit log is broken at row {found.seq}: {found.why}")
        raise typer.Exit(1)
    if as_json:
        print_json({"whole": True, "rows": found.rows, "head": found.head})
        return
    result(f"the audit log is whole: {found.rows:,} rows, the last {found.head}")
    note("rows taken away at the end are not seen by this; note the last hash elsewhere, and compare")


@audit.command("export")
def audit_export(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="A new file; default: the terminal.")] = None,
    database: Database = None,
) -> None:
    """Write the log as JSON, one row a line."""
    _needs_server()
    from tunesmith_enterprise.server.audit import entries

    with ExitStack() as stack:
        storage = stack.enter_context(closing(_storage(folder, database)))
        file = sys.stdout if out is None else stack.enter_context(_new_file(out))
        transaction = stack.enter_context(storage.transaction())
        for entry in entries(transaction.connection):
            file.write(json.dumps(entry.to_json()) + "\n")


def _storage(folder: Path, database: str | None) -> Storage:
    from tunesmith_enterprise.server.storage import DATABASE as FILE
    from tunesmith_enterprise.server.storage import open_storage

    return open_storage(database if database else folder / FILE)


def _new_file(path: Path) -> TextIO:
    from tunesmith.errors import OutputError

    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the file cannot be written: {error.strerror}", given=path, fix="choose another --out"
        ) from None


def _needs_server() -> None:
    from importlib.util import find_spec

    from tunesmith.errors import PluginError

    missing = [name for name in ("fastapi", "uvicorn", "sqlalchemy") if find_spec(name) is None]
    if missing:
        raise PluginError(
            f"the license server needs {', '.join(missing)}, which is not installed",
            fix="pip install 'tunesmith-enterprise[server]'",
        )
