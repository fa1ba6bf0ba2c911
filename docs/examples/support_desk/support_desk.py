# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A support desk: a small product with Tunesmith inside, to start a larger one from.

It says for each ticket where it belongs, learns from what people correct, in the background, and gives its model away
in forms for other programs. One process, one folder, no other server.

    python support_desk.py --folder desk --model runs/support --rows "dataset:tunesmith/support#train"

Everything in it is MIT. If `tunesmith-enterprise` is installed and the product's license has governance, models are
sealed as they are made: `--license helpdesk.lic`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tunesmith.engine import Engine, PredictRequest, open_engine
from tunesmith.errors import BusyError, StoppedError, TunesmithError
from tunesmith.export import export_model
from tunesmith.plugin import Event, RunStarted, StepDone
from tunesmith.recipe import parse_recipe
from tunesmith.training import train

PRODUCT = "helpdesk"
"""What the license of this product is bound to."""
TABLE = "CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY, text TEXT, suggested TEXT, label TEXT)"


@dataclass
class Store:
    """Tickets, and which model answers."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        with self.tickets() as table:
            table.execute(TABLE)

    @contextmanager
    def tickets(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / "tickets.db", timeout=10)) as connection, connection:
            yield connection

    @property
    def model(self) -> str | None:
        file = self.folder / "model.txt"
        return file.read_text().strip() if file.exists() else None

    @model.setter
    def model(self, name: str) -> None:
        draft = self.folder / "model.new"
        draft.write_text(name)
        draft.replace(self.folder / "model.txt")

    def next_run(self) -> Path:
        taken = [int(run.name) for run in (self.folder / "runs").iterdir() if run.name.isdigit()]
        return self.folder / "runs" / f"{max(taken, default=0) + 1:04d}"


@dataclass(frozen=True)
class Plan:
    """What the customer bought; without a license: the MIT part, which is whole."""

    activation: Any = None

    @classmethod
    def read(cls, file: Path | None) -> Plan:
        """SignedDocumentError: it can never count. One that has ended is no error."""
        if file is None:
            return cls()
        import tunesmith_enterprise

        return cls(tunesmith_enterprise.activate(file.read_bytes(), product=PRODUCT))

    def standing(self) -> dict[str, Any]:
        """How things are, for the page on which the product says so in its own words."""
        if self.activation is None:
            return {"state": "none", "until": None, "messages": []}
        now = self.activation.standing()
        return {
            "state": now.state,
            "until": now.until and now.until.isoformat(),
            "messages": [{"code": one.code, "text": one.text, **one.values} for one in now.messages],
        }

    def keep(self, run: Path) -> str:
        """The name of a model that was just made: sealed where the license has governance, asked for once."""
        if self.activation is None:
            return str(run)
        from tunesmith_enterprise import LicenseError
        from tunesmith_enterprise.governance.sealing import key_ring, seal_run

        try:
            self.activation.require("governance")
        except LicenseError:  # the model is made and stays in use; `standing` says what there is to say
            return str(run)
        seal_run(run, key_ring())
        return f"enterprise/sealed:{run}"


@dataclass
class Learning:
    """One job at a time, in a thread. What it says is what the last job said."""

    status: str = "never"
    step: int = 0
    steps: int = 0
    error: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def told(self) -> dict[str, Any]:
        return {"status": self.status, "step": self.step, "steps": self.steps, "error": self.error}

    def begin(self, work: Any) -> bool:
        """False: one is under way."""
        with self._lock:  # requests come at the same time
            if self._thread is not None and self._thread.is_alive():
                return False
            self.status, self.step, self.steps, self.error = "running", 0, 0, ""
            self._stop.clear()
            self._thread = threading.Thread(target=self._do, args=(work,))
            self._thread.start()
            return True

    def _do(self, work: Any) -> None:
        try:
            work(self._heard, self._stop)
            self.status = "finished"
        except StoppedError:
            self.status = "stopped"
        except Exception as error:  # those of Tunesmith say what was given, what was expected, and what to do
            self.status, self.error = "failed", str(error)
            logging.getLogger("uvicorn.error").exception("the job failed")

    def _heard(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.steps = event.total_steps
        elif isinstance(event, StepDone):
            self.step = event.step

    def end(self) -> None:
        """Stop after the step that is under way, and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


class NewTicket(BaseModel):
    text: str


class Correction(BaseModel):
    label: str


class Form(BaseModel):
    to: str = "onnx"


@dataclass
class Desk:
    """The product: an engine that answers, and what stands around it."""

    store: Store
    plan: Plan
    base: str
    rows: list[str]
    learning: Learning = field(default_factory=Learning)
    engine: Engine = field(init=False)

    @property
    def model(self) -> str:
        return self.store.model or self.base

    def open(self) -> None:
        """Load it; takes a moment."""
        self.engine = open_engine(self.model, name="desk")

    def learn(self, heard: Any, stop: threading.Event) -> None:
        """Train on the rows that the product came with and on everything that was corrected, and answer by that."""
        with self.store.tickets() as table:
            known = table.execute("SELECT text, label FROM tickets WHERE label IS NOT NULL").fetchall()
        run, corrected = self.store.next_run(), self.store.folder / "corrected.jsonl"
        corrected.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in known))
        recipe = {
            "task": "text-classification",
            "model": self.model,
            "data": {"train": [*self.rows, str(corrected)], "split": {"test": 0.1}},
            "train": {"epochs": 2},
            "output": str(run),
        }
        train(parse_recipe(recipe), observers=[heard], stop=stop)
        model = self.plan.keep(run)
        fresh = open_engine(model, name="desk")  # what does not open never takes the place of what answers
        self.store.model = model
        before, self.engine = self.engine, fresh
        _end(before)  # what is being answered is answered by the old model

    def close(self) -> None:
        """End in order: the job saves its work, and requests are answered."""
        self.learning.end()
        _end(self.engine)


def _end(engine: Engine) -> None:
    engine.drain(timeout=30)
    engine.close()


def application(desk: Desk) -> FastAPI:
    """Its routes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk.open()
        yield
        desk.close()

    app = FastAPI(title="Support desk", lifespan=lifespan)

    @app.post("/tickets")
    async def ask(ticket: NewTicket) -> dict[str, Any]:
        try:
            answer = await desk.engine.submit(PredictRequest(rows=(ticket.text,)), timeout=10)
        except BusyError as error:
            raise HTTPException(429, "try again", {"Retry-After": str(max(1, round(error.retry_after)))}) from error
        except TunesmithError as error:
            raise HTTPException(400, str(error)) from error
        said = answer.rows[0]
        with desk.store.tickets() as table:
            row = table.execute("INSERT INTO tickets (text, suggested) VALUES (?, ?)", (ticket.text, said["label"]))
        return {"id": row.lastrowid, "label": said["label"], "probability": said["probability"]}

    @app.put("/tickets/{number}")
    def correct(number: int, correction: Correction) -> dict[str, Any]:
        with desk.store.tickets() as table:
            done = table.execute("UPDATE tickets SET label = ? WHERE id = ?", (correction.label, number)).rowcount
        if not done:
            raise HTTPException(404, f"there is no ticket {number}")
        return {"id": number, "label": correction.label}

    @app.post("/learning", status_code=202)
    def learn() -> dict[str, Any]:
        if not desk.learning.begin(desk.learn):
            raise HTTPException(409, "it is learning already")
        return desk.learning.told()

    @app.get("/learning")
    def progress() -> dict[str, Any]:
        return desk.learning.told() | {"model": desk.model}

    @app.post("/export")
    def export(form: Form) -> dict[str, Any]:
        place = desk.store.folder / f"export-{form.to}-{Path(desk.model).name}"
        try:
            made = export_model(desk.model, to=form.to, out=place)
        except TunesmithError as error:
            raise HTTPException(400, str(error)) from error
        return {"folder": str(made.path)}

    @app.get("/license")
    def license_page() -> dict[str, Any]:
        return desk.plan.standing()

    return app


def main() -> None:
    """Start it; uvicorn says where."""
    parser = argparse.ArgumentParser(description="A support desk with a model inside.")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--model", required=True, help="the run that answers at first, of the task text-classification")
    parser.add_argument("--rows", action="append", required=True, help="rows that it was trained on; repeatable")
    parser.add_argument("--license", type=Path, help="the license of this product")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    try:
        plan = Plan.read(given.license)
    except TunesmithError as error:
        parser.exit(2, f"{error}\n")
    desk = Desk(Store(given.folder), plan, given.model, given.rows)
    uvicorn.run(application(desk), host="127.0.0.1", port=given.port, log_level="info")


if __name__ == "__main__":
    main()
