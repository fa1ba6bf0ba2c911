# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One thread that writes. What was asked while it was committing goes into the next transaction together.

The disk takes as long for fifty changes as for one; so a server with many nodes is as fast as its processor.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, TypeVar

from tunesmith_enterprise.server.refusals import Declined, StorageError
from tunesmith_enterprise.server.storage import Storage, Transaction

__all__ = ["TOGETHER", "Writer"]

TOGETHER: Final = 64
"""Operations of one transaction, at most."""

Answer = TypeVar("Answer")
_Asked = tuple[Callable[[Transaction], Any], "asyncio.Future[Any]"]
_Settled = tuple["asyncio.Future[Any]", Any, "BaseException | None"]


class Writer:
    """Runs operations on a storage, one after the other; each is answered when it is on the disk."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="license-server-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[Transaction], Answer]) -> Answer:
        """Have an operation run. The loop is woken once for all that were committed together.

        Raises:
            Declined: the operation did; what it wrote before stays.
            StorageError: nothing of it was kept.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.put((operation, future))
        return await future

    def close(self) -> None:
        """Run what was asked until now, and end."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._asked.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < TOGETHER and not self._asked.empty():
                following = self._asked.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._together(batch)
            if last:
                return

    def _together(self, batch: list[_Asked]) -> None:
        try:
            with self._storage.transaction() as transaction:
                answers = [_attempt(operation, transaction) for operation, _ in batch]
        except StorageError as error:
            _settle([(future, None, error) for _, future in batch])
        except Exception as error:  # a mistake in one of them; nothing was kept of the others either
            if len(batch) == 1:
                _settle([(batch[0][1], None, error)])
                return
            for one in batch:
                self._together([one])
        else:
            _settle([(future, *answer) for (_, future), answer in zip(batch, answers, strict=True)])


def _attempt(operation: Callable[[Transaction], Any], transaction: Transaction) -> tuple[Any, Declined | None]:
    try:
        return operation(transaction), None
    except Declined as declined:
        return None, declined


def _settle(settled: list[_Settled]) -> None:
    in_loops: defaultdict[asyncio.AbstractEventLoop, list[_Settled]] = defaultdict(list)
    for one in settled:
        in_loops[one[0].get_loop()].append(one)
    for loop, ours in in_loops.items():
        try:
            loop.call_soon_threadsafe(_tell, ours)
        except RuntimeError:  # the loop has been closed: nobody waits
            continue


def _tell(settled: list[_Settled]) -> None:
    for future, answer, error in settled:
        if future.cancelled():  # whoever asked has gone
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
