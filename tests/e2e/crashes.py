# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Kill a training job anywhere, resume it, and compare what comes out with a job that was left alone.

One process imports everything once and forks a child for every session of a job. A child is killed with ``SIGKILL``

- *at an event*: right before the k-th time that it opens a file of the run for writing, renames, removes or makes one
  (``sys.addaudithook``), which is where a crash can leave something half done;
- *in a phase*: some milliseconds after it began a step, an evaluation, a save or the finish, to hit the middle of one;
- *at a moment*: after a random time.

It is killed up to three times on its way. Then everything must be equal: the bytes of the weights, every loss, gradient
norm and figure of ``metrics.jsonl``, the figures of the manifest; and nothing may lie about.

::

    python tests/e2e/crashes.py --jobs text,chat --kills 40 --seed 0      # prints a JSON object with counts
    python tests/e2e/crashes.py --every-event                             # each event of each job once
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a forked child has no use for threads of its parent

PHASES = ("before the run", "preparing", "step", "evaluation", "saving the best", "checkpoint", "finishing", "finished")
MOST_KILLS = 3
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}


class Jobs:
    """Small jobs of a second or less: their data and models, made once."""

    def __init__(self, folder: Path) -> None:
        from tunesmith.testing import tiny_bert, tiny_llama

        self.folder = folder
        tiny_bert(folder / "bert")
        tiny_llama(folder / "llama")
        words = {"fruit": ("apple", "pear", "plum"), "metal": ("iron", "zinc", "old tin")}
        rows = [f"{word} {n},{label}" for n in range(6) for label in words for word in words[label]]
        (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
        chats = [
            {
                "messages": [
                    {"role": "user", "content": f"say {n}"},
                    {"role": "assistant", "content": f"{n} " * (n % 4 + 1)},
                ]
            }
            for n in range(16)
        ]
        (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))

    def recipe(self, name: str, out: Path) -> Any:
        import tunesmith

        train = {"epochs": 2, "learning_rate": 1e-2, "precision": "fp32"}
        common = {"output": str(out), "evaluate": {"samples": 0}}
        held_out = {"validation": 0.2, "test": 0.2}
        recipes: dict[str, dict[str, Any]] = {
            "text": {  # dropout, the best weights, checkpoints and evaluations at different steps
                "task": "text-classification",
                "model": str(self.folder / "bert"),
                "data": {"train": str(self.folder / "rows.csv"), "split": held_out},
                "train": train | {"tokens_per_batch": 64, "save_every": 2},
                "evaluate": {"every": 3, "samples": 0},
            },
            "augmented": {  # rows that change in every epoch, and an epoch that ends within a checkpoint's steps
                "task": "text-classification",
                "model": str(self.folder / "bert"),
                "data": {"train": str(self.folder / "rows.csv"), "split": held_out, "augment": ["swap-words", "typos"]},
                "train": train | {"tokens_per_batch": 64, "save_every": 2, "accumulate": 2},
            },
            "chat": {  # adapters with dropout, the last weights, steps in two parts
                "task": "chat",
                "model": str(self.folder / "llama"),
                "method": {"name": "lora", "rank": 2, "dropout": 0.1},
                "data": {"train": str(self.folder / "chats.jsonl"), "split": held_out},
                "train": train | {"tokens_per_batch": 64, "save_every": 1, "keep_checkpoints": 1, "accumulate": 2},
                "evaluate": {"keep": "last", "samples": 1, "sample_tokens": 4},
            },
        }
        return tunesmith.parse_recipe(common | recipes[name])


def outcome(run: Path) -> dict[str, Any]:
    """Everything of a finished run that must not depend on how it came about."""
    import tunesmith

    opened = tunesmith.Run.open(run)
    manifest = opened.manifest
    records = [
        {key: value for key, value in record.items() if key not in ("seconds", "path")}
        for record in opened.metrics()
        if record["kind"] != "note" or not record["message"].startswith("resumed ")
    ]
    files = [path for path in opened.model_folder.iterdir() if path.name != "README.md"]  # it names the run's folder
    return {
        "records": records,
        "model": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "checkpoints": sorted(path.name for path in opened.checkpoint_folder.iterdir()),
        "files": sorted(path.name for path in run.iterdir()),
        **{key: manifest[key] for key in ("status", "steps", "best_step", "metrics", "before")},
    }


class Session:
    """One child that works on a job until it is done or dead."""

    def __init__(
        self,
        jobs: Jobs,
        job: str,
        out: Path,
        *,
        at_event: int | None = None,
        in_phase: tuple[str, int, float] | None = None,
    ) -> None:
        """``in_phase``: which, the how many-th of that name (from 0), and the seconds from its beginning."""
        self.seen = mmap.mmap(-1, 16)  # shared with the child: its phase, and how many events there were
        self.out = out
        self.in_phase = in_phase
        self.begun: collections.Counter[str] = collections.Counter()
        resume = (out / "run.json").is_file()
        if not resume and out.is_dir():
            shutil.rmtree(out)  # what the error about the folder says: nothing was trained yet
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self._child(jobs, job, at_event, resume)

    def _child(self, jobs: Jobs, job: str, at_event: int | None, resume: bool) -> None:
        code = 1
        try:
            import tunesmith

            self._watch(at_event)
            self._mark_phases()
            if resume:
                tunesmith.train(resume=self.out)
            else:
                tunesmith.train(jobs.recipe(job, self.out))
            self.phase = "finished"
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _watch(self, at_event: int | None) -> None:
        folder = str(self.out)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            opened_for = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
            if not (event in CHANGES or opened_for & WRITES) or not str(arguments[0]).startswith(folder):
                return
            count = int.from_bytes(self.seen[8:16], "little") + 1
            self.seen[8:16] = count.to_bytes(8, "little")
            if count == at_event:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    def _mark_phases(self) -> None:
        from tunesmith.training import checkpoints, job, keeper, loop, measuring

        places: list[tuple[Any, str, str]] = [
            (job, "_carry_out", "preparing"),
            (loop, "take_step", "step"),
            (measuring, "evaluate_items", "evaluation"),
            (keeper, "save_model", "saving the best"),
            (checkpoints, "save_checkpoint", "checkpoint"),
            (job, "finish", "finishing"),
        ]
        for module, name, phase in places:
            setattr(module, name, self._marked(getattr(module, name), phase))

    def _marked(self, function: Any, phase: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            before, self.phase = self.phase, phase
            if self.in_phase is not None and self.in_phase[:2] == (phase, self.begun[phase]):
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends a process as SIGKILL does
                signal.setitimer(signal.ITIMER_REAL, self.in_phase[2])
            self.begun[phase] += 1
            result = function(*arguments, **options)
            self.phase = before
            return result

        return call

    @property
    def phase(self) -> str:
        return PHASES[self.seen[0]]

    @phase.setter
    def phase(self, phase: str) -> None:
        self.seen[0] = PHASES.index(phase)

    @property
    def events(self) -> int:
        return int.from_bytes(self.seen[8:16], "little")

    def wait(self, kill_after: float | None = None) -> bool:
        """True when it came to its end, False when it was killed."""
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM):
            return False
        if os.WEXITSTATUS(status):
            raise SystemExit(f"a session failed; its run is {self.out}")
        return True


class Soak:
    """Kills sessions, and counts what was hit."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.jobs, self.folder, self.random = Jobs(folder), folder, random.Random(seed)
        self.kills: collections.Counter[str] = collections.Counter()
        self.runs = 0
        self.whole: dict[str, tuple[dict[str, Any], int, float]] = {}

    def left_alone(self, job: str) -> tuple[dict[str, Any], int, float]:
        """Outcome, events and seconds of a job that nobody kills."""
        if job not in self.whole:
            out = self.folder / f"{job}-whole"
            start = time.monotonic()
            session = Session(self.jobs, job, out)
            assert session.wait()
            self.whole[job] = outcome(out), session.events, time.monotonic() - start
        return self.whole[job]

    def once(self, job: str, at_event: int | None = None) -> int:
        """One job, killed at least once if it lives long enough, up to three times; gives the kills."""
        expected, events, seconds = self.left_alone(job)
        out = self.folder / f"{job}-{self.runs}"
        kills = 0
        while True:
            killed = None
            if at_event is not None and not kills:
                session = Session(self.jobs, job, out, at_event=at_event)
            elif kills == MOST_KILLS or (kills and self.random.random() < 0.5):
                session = Session(self.jobs, job, out)
            else:
                session, killed = self._doomed(job, out, events, seconds)
            if session.wait(killed):
                break
            kills += 1
            self.kills[session.phase] += 1
            if session.phase == "finished" or self._finished(out):
                break
        self._compare(job, out, expected)
        shutil.rmtree(out)
        self.runs += 1
        return kills

    def _doomed(self, job: str, out: Path, events: int, seconds: float) -> tuple[Session, float | None]:
        draw = self.random
        kind = draw.choice(("event", "phase", "phase", "moment"))
        if kind == "event":
            return Session(self.jobs, job, out, at_event=draw.randint(1, events)), None
        if kind == "phase":
            place = draw.choice(PHASES[2:-1]), draw.randrange(4), draw.uniform(1e-6, 0.03)
            return Session(self.jobs, job, out, in_phase=place), None
        return Session(self.jobs, job, out), draw.uniform(0, 1.1 * seconds)

    @staticmethod
    def _finished(out: Path) -> bool:
        try:
            return bool(json.loads((out / "run.json").read_text())["status"] == "finished")
        except FileNotFoundError:
            return False

    def _compare(self, job: str, out: Path, expected: dict[str, Any]) -> None:
        found = outcome(out)
        unequal = [key for key in expected if expected[key] != found[key]]
        if unequal:
            shown = {key: [expected[key], found[key]] for key in unequal}
            raise SystemExit(f"{out} ({job}): not equal: {', '.join(unequal)}\n{json.dumps(shown, indent=1)}")


@contextmanager
def _place(kept: str | None) -> Iterator[Path]:
    if kept:
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill training jobs anywhere and compare what comes out.")
    parser.add_argument("--jobs", default="text,augmented,chat", help="which of the small jobs, between commas")
    parser.add_argument("--kills", type=int, default=0, help="go on until this many sessions were killed")
    parser.add_argument("--seconds", type=float, default=0, help="or for this long")
    parser.add_argument(
        "--every-event", action="store_true", help="first kill each job once at each of its file events"
    )
    parser.add_argument("--stride", type=int, default=1, help="with --every-event: only every so many-th event")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="keep everything there, to look into what went wrong")
    options = parser.parse_args()
    start, jobs = time.monotonic(), options.jobs.split(",")
    with _place(options.folder) as folder:
        soak = Soak(folder, options.seed)
        if options.every_event:
            for job in jobs:
                for event in range(1 + options.seed % options.stride, soak.left_alone(job)[1] + 1, options.stride):
                    soak.once(job, at_event=event)
        while sum(soak.kills.values()) < options.kills or time.monotonic() - start < options.seconds:
            soak.once(soak.random.choice(jobs))
        events = {job: whole[1] for job, whole in soak.whole.items()}
    counts = {phase: soak.kills[phase] for phase in PHASES if soak.kills[phase]}
    seconds = round(time.monotonic() - start, 1)
    print(json.dumps({"runs": soak.runs, "kills": counts, "file events of a job": events, "seconds": seconds}))


if __name__ == "__main__":
    main()
