# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How often an event loop is woken for the tokens of many answers."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from itertools import chain
from typing import Any

from tunesmith.engine import Choice, Generation, Stream, Token, Usage
from tunesmith.engine.waking import PATIENCE, bell_of

WHOLE = Generation((Choice("ab", "stop", ()),), Usage(1))


class Loop(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    woken = 0

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> Any:
        self.woken += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def woken_by(work: Callable[[list[Stream]], None], read: Callable[[Stream], Any]) -> tuple[int, list[Any]]:
    """Wake-ups while a thread works on eight streams, and what their readers got."""
    loop = Loop()

    async def go() -> tuple[int, list[Any]]:
        streams = [Stream() for _ in range(8)]
        readers = [asyncio.ensure_future(read(stream)) for stream in streams]
        await asyncio.sleep(0)  # they wait
        begun = loop.woken
        # The loop stands still meanwhile, as it does while an engine's thread has the interpreter.
        thread = threading.Thread(target=work, args=(streams,))
        thread.start()
        thread.join()
        found = await asyncio.gather(*readers)
        return loop.woken - begun, found

    try:
        return loop.run_until_complete(go())
    finally:
        loop.close()


def step(streams: list[Stream], number: int) -> None:
    for stream in streams:
        stream.push(Token(id=number, text="", logprob=0.0))


def finish(streams: list[Stream]) -> None:
    for stream in streams:
        stream.finish(WHOLE)


async def whole(stream: Stream) -> Any:
    return await stream


async def ids(stream: Stream) -> list[int]:
    return [token.id async for tokens in stream.bursts(patient=True) for token in tokens]


def test_one_step_wakes_a_loop_once_for_all_its_streams() -> None:
    def work(streams: list[Stream]) -> None:
        step(streams, 1)
        step(streams, 2)
        finish(streams)

    assert woken_by(work, ids) == (1, [[1, 2]] * 8)


def test_who_waits_for_the_whole_answer_is_not_woken_by_tokens() -> None:
    seen: list[int] = []

    def work(streams: list[Stream]) -> None:
        for number in range(50):
            step(streams, number)
        seen.append(len(streams[0]._others))
        finish(streams)

    assert woken_by(work, whole) == (1, [WHOLE] * 8)
    assert seen == [1]


def test_patient_readers_get_in_one_piece_what_came_meanwhile() -> None:
    async def read() -> list[list[int]]:
        stream = Stream()
        found = []

        def push() -> None:
            for number in range(1, 6):
                stream.push(Token(id=number, text="", logprob=0.0))
                time.sleep(PATIENCE / 20 * (1 + (number == 1)))

        threading.Thread(target=push).start()
        async for tokens in stream.bursts(patient=True):
            found.append([token.id for token in tokens])
            if found[-1][-1] == 5:
                return found
        return found

    first, *rest = asyncio.run(read())
    assert first == [1]
    assert list(chain.from_iterable(rest)) == [2, 3, 4, 5]
    assert len(rest) <= 2


def test_the_end_is_told_to_patient_readers_at_once() -> None:
    async def read() -> float:
        loop = asyncio.get_running_loop()
        stream = Stream()
        stream.push(Token(id=1, text="", logprob=0.0))
        bursts = stream.bursts(patient=True)
        await anext(bursts)
        rest = asyncio.ensure_future(ids(stream))
        await asyncio.sleep(0)
        bell_of(loop)._armed = True  # as if it had just looked, and were not to look again for a day
        stream.push(Token(id=2, text="", logprob=0.0))
        await asyncio.sleep(0.02)
        assert not rest.done()
        stream.finish(WHOLE)
        assert await asyncio.wait_for(rest, 5) == [2]

    asyncio.run(read())


def test_a_loop_that_is_gone_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    stream = Stream()
    loop.run_until_complete(asyncio.wait([loop.create_task(whole(stream))], timeout=0.01))
    bell = weakref.ref(bell_of(loop))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    stream.finish(WHOLE)
    del loop, task
    gc.collect()
    assert bell() is None
