# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a launcher hears of the other machines while the processes of a round work; and who of them hangs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from tunesmith_enterprise.distributed.meeting import Place, Round
from tunesmith_enterprise.distributed.pulse import Beat, hung

__all__ = ["Watch"]

_EVERY: Final = 1.0


class Watch:
    """A thread for one round. It may get stuck when a link is cut; whoever asks it does not.

    Args:
        connect: a connection to the job's store.
        beats: reads what the processes of this machine last did.
        hang_timeout: seconds without a move after which a process hangs.
        node_timeout: seconds without a word after which a machine counts as lost.
        every: seconds between two looks, at most.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        place: Place,
        begun: Round,
        beats: Callable[[], Sequence[Beat]],
        *,
        hang_timeout: float,
        node_timeout: float,
        every: float = _EVERY,
    ) -> None:
        self._connect, self._place, self._round, self._beats = connect, place, begun, beats
        self._hang_timeout, self._node_timeout = hang_timeout, node_timeout
        self._every = min(every, node_timeout / 4, hang_timeout / 4)
        self._number = 0
        self._last: dict[int, tuple[int, float]] = {}
        self._closed = threading.Event()
        self._heard = time.monotonic()
        self._ended = ""
        self.asked_to_stop = False
        """On another machine."""
        self.latest: tuple[Beat, ...] = ()
        """Of all processes on the main machine, of its own on the others."""

    def __enter__(self) -> Watch:
        self._heard = time.monotonic()
        threading.Thread(target=self._work, name="watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    def why_ended(self) -> str:
        """Why this round is over, as far as this machine knows; empty: it is not."""
        silent = time.monotonic() - self._heard
        if not self._ended and silent > self._node_timeout:
            main = f"node 0 ({self._round.hosts[0]})"
            return f"node {self._place.node} has not heard of {main} for {silent:.0f} seconds"
        return self._ended

    def ask_to_stop(self) -> None:
        """Tell the main machine. In a thread: it may not be reached."""

        def ask() -> None:
            with suppress(OSError, RuntimeError):
                self._connect().set("stop", "1")

        threading.Thread(target=ask, daemon=True).start()

    def _work(self) -> None:
        store = None
        while not self._closed.wait(self._every):
            try:
                store = self._connect() if store is None else store
                self._once(store)
                self._heard = time.monotonic()
            except (OSError, RuntimeError):  # gone, or the way to it; `why_ended` sees it after a while
                store = None

    def _once(self, store: Any) -> None:
        self._number += 1
        self.latest = tuple(self._beats())
        said = {"number": self._number, "beats": [one.to_json() for one in self.latest]}
        store.set(self._key(self._place.node), json.dumps(said))
        if self._place.node == 0:
            self._judge(store)
        ended, self.asked_to_stop = f"ended/{self._round.number}", store.check(["stop"])
        if store.check([ended]):
            self._ended = store.get(ended).decode()

    def _judge(self, store: Any) -> None:
        beats: list[Beat] = []
        now = time.monotonic()
        why = ""
        for node in range(self._place.nodes):
            number, since = self._last.setdefault(node, (0, now))
            if store.check([self._key(node)]):
                found = json.loads(store.get(self._key(node)))
                if found["number"] != number:
                    self._last[node] = (found["number"], now)
                    since = now
                beats += [Beat(**one) for one in found["beats"]]
            if now - since > self._node_timeout:
                why = f"node {node} ({self._round.hosts[node]}) was not heard of for {now - since:.0f} seconds"
        self.latest = tuple(beats)
        complete = all(number for number, _ in self._last.values())
        hang = hung(beats, self._hang_timeout) if complete and not why else None
        if hang is not None:
            why = str(hang)
        if why:
            store.compare_set(f"ended/{self._round.number}", "", why)

    def _key(self, node: int) -> str:
        return f"beat/{self._round.number}/{node}"
