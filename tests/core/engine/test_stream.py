# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A request seen from both sides: threads and coroutines read it, an engine fills it."""

from __future__ import annotations

import asyncio
import threading
from itertools import chain
from typing import Any

import pytest

from tunesmith.engine import Choice, Generation, Stream, Token, Usage
from tunesmith.errors import CancelledError, RequestError

WHOLE = Generation((Choice("ab", "stop", ()),), Usage(1))


def token(number: int) -> Token:
    return Token(id=number, text=str(number), logprob=0.0)


def filled(*numbers: int) -> Stream:
    stream = Stream()
    for number in numbers:
        stream.push(token(number))
    stream.finish(WHOLE)
    return stream


def test_tokens_come_in_order_and_then_the_answer() -> None:
    stream = filled(1, 2, 3)
    assert [one.id for one in stream] == [1, 2, 3]
    assert stream.result() is WHOLE
    assert stream.done


def test_a_thread_waits_for_what_another_makes() -> None:
    stream = Stream()
    threading.Timer(0.05, lambda: (stream.push(token(7)), stream.finish(WHOLE))).start()
    assert [one.id for one in stream] == [7]


def test_no_answer_in_time_is_a_timeout_and_not_the_end() -> None:
    stream = Stream()
    with pytest.raises(TimeoutError, match="the request goes on"):
        stream.result(timeout=0.01)
    stream.finish(WHOLE)
    assert stream.result() is WHOLE


def test_an_error_is_raised_where_tokens_and_answer_are_read() -> None:
    stream = Stream()
    stream.push(token(1))
    stream.fail(RequestError("no good", parameter="prompt"))
    tokens = iter(stream)
    assert next(tokens).id == 1
    with pytest.raises(RequestError, match="no good"):
        next(tokens)
    with pytest.raises(RequestError, match="no good"):
        stream.result()


def test_the_first_end_counts() -> None:
    stream = filled()
    stream.fail()
    stream.push(token(9))
    assert stream.result() is WHOLE
    assert list(stream) == []


def test_leaving_the_loop_early_cancels() -> None:
    cancelled: list[Stream] = []
    stream = Stream(cancelled.append)
    stream.push(token(1))
    for _ in stream:
        break
    assert cancelled == [stream]


def test_a_whole_answer_is_not_cancelled_afterwards() -> None:
    cancelled: list[Stream] = []
    stream = Stream(cancelled.append)
    stream.finish(WHOLE)
    assert list(stream) == []
    stream.cancel()
    assert cancelled == []


def test_coroutines_read_it_too() -> None:
    async def read() -> tuple[list[int], Any]:
        stream = Stream()
        threading.Timer(0.03, lambda: stream.push(token(1))).start()
        threading.Timer(0.06, lambda: (stream.push(token(2)), stream.finish(WHOLE))).start()
        return [one.id async for one in stream], await stream

    assert asyncio.run(read()) == ([1, 2], WHOLE)


def test_a_cancelled_coroutine_cancels_its_request() -> None:
    cancelled: list[Stream] = []

    async def wait() -> None:
        stream = Stream(cancelled.append)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream._awaited(), 0.02)

    asyncio.run(wait())
    assert len(cancelled) == 1


def test_a_reader_whose_loop_is_gone_disturbs_nobody() -> None:
    stream = Stream()

    async def leave() -> None:
        reader = asyncio.ensure_future(stream._awaited())
        await asyncio.sleep(0.01)
        del reader

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    stream.finish(WHOLE)
    assert stream.result() is WHOLE


def test_all_that_is_there_is_taken_at_once() -> None:
    stream = Stream()
    assert stream.take() == []
    for number in (1, 2):
        stream.push(token(number))
    assert [one.id for one in stream.take()] == [1, 2]
    assert stream.take() == []


@pytest.mark.parametrize("patient", [False, True])
def test_coroutines_read_what_came_together(patient: bool) -> None:
    async def read() -> tuple[list[list[int]], Any]:
        stream = Stream()
        for number in (1, 2):
            stream.push(token(number))
        threading.Timer(0.05, lambda: (stream.push(token(3)), stream.finish(WHOLE))).start()
        return [[one.id for one in burst] async for burst in stream.bursts(patient=patient)], await stream

    assert asyncio.run(read()) == ([[1, 2], [3]], WHOLE)


def test_an_error_comes_behind_the_last_burst() -> None:
    async def read() -> None:
        stream = Stream()
        stream.push(token(1))
        stream.fail(RequestError("no good", parameter="prompt"))
        bursts = stream.bursts()
        assert len(await anext(bursts)) == 1
        with pytest.raises(RequestError, match="no good"):
            await anext(bursts)

    asyncio.run(read())


def test_leaving_bursts_early_cancels() -> None:
    cancelled: list[Stream] = []

    async def leave() -> None:
        stream = Stream(cancelled.append)
        stream.push(token(1))
        bursts = stream.bursts()
        await anext(bursts)
        await bursts.aclose()

    asyncio.run(leave())
    assert len(cancelled) == 1


def test_two_readers_of_one_stream_share_its_tokens() -> None:
    async def read() -> list[int]:
        stream = Stream()

        async def some() -> list[int]:
            return [one.id async for one in stream]

        readers = [asyncio.ensure_future(some()) for _ in range(2)]
        await asyncio.sleep(0.01)
        for number in range(4):
            stream.push(token(number))
        stream.finish(WHOLE)
        return sorted(chain.from_iterable(await asyncio.gather(*readers)))

    assert asyncio.run(read()) == [0, 1, 2, 3]


def test_cancelled_without_a_reason_says_so() -> None:
    stream = Stream()
    stream.fail()
    with pytest.raises(CancelledError, match="was cancelled"):
        stream.result()
