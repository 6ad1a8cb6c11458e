"""A serial port that instruments share: turns, echoes, pauses, time-outs, slow listeners."""

import asyncio
import contextlib
import itertools

import pytest

from citytwin import SystemClock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.serial_port import (
    UNHEARD_BYTES_MAX,
    Party,
    Port,
    Question,
)
from tests.edge.serial_instruments import instrument


@contextlib.asynccontextmanager
async def joined(path, *parties):
    port = Port(Endpoint("polled", serial=path), SystemClock())
    for party in parties:
        port.join(party)
    try:
        yield port
    finally:
        for party in parties:
            await port.leave(party)


class Taker:
    """Takes an answer that ends with a carriage return."""

    def __init__(self):
        self.data = b""

    def __call__(self, data):
        self.data += data
        return self.data.endswith(b"\r")


async def asked(port, party, data, timeout_s=0.5, **more):
    command = more.pop("command", False)
    taker = Taker()
    await port.ask(party, Question(data, timeout_s, **more), taker, command=command)
    return taker.data


async def test_one_at_a_time_and_commands_first(tmp_path):
    path, parties = str(tmp_path / "port"), [Party(str(number), True) for number in range(6)]
    order = []

    def answer(request):
        order.append(request)
        return [0.02, request]

    async with instrument(path, answer), joined(path, *parties) as port:
        polls = [
            asyncio.ensure_future(asked(port, party, b"P%d\r" % number))
            for number, party in enumerate(parties)
        ]
        await asyncio.sleep(0)
        command = asked(port, parties[5], b"C\r", command=True)
        answers = await asyncio.gather(*polls, command)
    assert answers == [b"P0\r", b"P1\r", b"P2\r", b"P3\r", b"P4\r", b"P5\r", b"C\r"]
    assert order.index(b"C\r") <= 1, "at most the one under way came first"


async def test_an_echo_is_left_out_if_it_comes(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    async with instrument(path, lambda r: [r[:2], 0.02, r[2:] + b"7\r"]):
        async with joined(path, party) as port:
            assert await asked(port, party, b"#01\r", echo=True) == b"7\r"
    async with instrument(path, lambda r: [b"7\r"]), joined(path, party) as port:
        assert await asked(port, party, b"#01\r", echo=True) == b"7\r"


async def test_an_answer_may_pause_but_not_go_on_for_ever(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    async with instrument(path, lambda _: [b"1", 0.06, b"2", 0.06, b"3\r"]):
        async with joined(path, party) as port:
            assert await asked(port, party, b"?\r", timeout_s=0.15) == b"123\r"
    async with instrument(path, lambda _: [b"1", 0.02] * 500), joined(path, party) as port:
        with pytest.raises(DeviceSilent, match="one gave no answer in time"):
            async with asyncio.timeout(5):
                await asked(port, party, b"?\r", timeout_s=0.1)
        assert party.is_silent


async def test_a_cancelled_question_spoils_no_other(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    delays = iter([0.2, 0.0])
    answers = iter([b"old\r", b"new\r"])
    async with instrument(path, lambda _: [next(delays), next(answers)]):
        async with joined(path, party) as port:
            first = asyncio.ensure_future(asked(port, party, b"?\r"))
            await asyncio.sleep(0.1)
            first.cancel()
            await asyncio.wait([first])
            assert await asked(port, party, b"?\r") == b"new\r"


async def test_what_comes_unasked_is_no_answer(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    async with instrument(path, lambda _: [b"7\r"]) as one, joined(path, party) as port:
        await asked(port, party, b"?\r")
        one.say(b"noise\r")
        before = port._heard_at
        async with asyncio.timeout(5):
            while port._heard_at == before:
                await asyncio.sleep(0.005)
        assert await asked(port, party, b"?\r", pause_s=0.05) == b"7\r"


async def test_a_pause_is_kept_between_answer_and_request(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    loop = asyncio.get_running_loop()
    came = []

    def answer(request):
        came.append(loop.time())
        return [b"7\r"]

    async with instrument(path, answer), joined(path, party) as port:
        for _ in range(3):
            await asked(port, party, b"?\r", pause_s=0.1)
    assert min(b - a for a, b in itertools.pairwise(came)) >= 0.1


async def test_without_an_answer_awaited_it_is_only_sent(tmp_path):
    path, party = str(tmp_path / "port"), Party("one")
    async with instrument(path) as one, joined(path, party) as port:
        await port.ask(party, Question(b"GO\r", 5.0), None, command=True)
        async with asyncio.timeout(5):
            while not one.asked:
                await asyncio.sleep(0.005)
    assert one.asked == [b"GO\r"]


async def test_listeners_hear_everything_and_are_told_when_they_slept(tmp_path):
    path, parties = str(tmp_path / "port"), [Party("a"), Party("b")]
    async with instrument(path) as one, joined(path, *parties) as port:
        quick, slow = port.listen(parties[0]), port.listen(parties[1])
        first = [asyncio.ensure_future(anext(stream)) for stream in (quick, slow)]
        async with asyncio.timeout(10):
            while not (len(port._ears) == 2 and port._connection.is_open):
                await asyncio.sleep(0.005)
            one.say(b"one")
            assert [(await task).data for task in first] == [b"one"] * 2
            total = 0
            one.say(*[b"x" * 1000, 0.001] * (UNHEARD_BYTES_MAX // 1000 + 20))
            while total < UNHEARD_BYTES_MAX + 20_000 - 1000:
                heard = await anext(quick)
                total += len(heard.data)
                assert not heard.is_cut
            late = await anext(slow)
        assert late.is_cut
        assert set(late.data) == set(b"x")
        await quick.aclose()
        await slow.aclose()
        assert port._ears == []


async def test_leaving_ends_listening_and_asking(tmp_path):
    path, parties = str(tmp_path / "port"), [Party("a"), Party("b")]
    async with instrument(path), joined(path, *parties) as port:
        stream = port.listen(parties[0])
        listening = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(5):
            while not port._connection.is_open:
                await asyncio.sleep(0.005)
        await port.leave(parties[0])
        with pytest.raises(DeviceSilent, match="was closed"):
            await asyncio.wait_for(listening, 5)
        assert port._connection.is_open, "the other is still there"
        asking = asyncio.ensure_future(asked(port, parties[1], b"?\r", timeout_s=20))
        await asyncio.sleep(0.05)
        await port.leave(parties[1])
        with pytest.raises(DeviceSilent):
            await asyncio.wait_for(asking, 5)
        with pytest.raises(DeviceSilent, match="was closed"):
            await asked(port, parties[1], b"?\r")


async def test_who_looks_at_a_port_sees_whose_the_bytes_are(tmp_path):
    path = str(tmp_path / "port")
    one, other = Party("one", device="d1"), Party("other", device="d2")
    seen = []

    def tap(line, direction, data, *, device="", note=""):
        seen.append((line, device, f"{direction}", bytes(data)))

    async with instrument(path, lambda request: [request.lower()]):
        port = Port(Endpoint("polled", serial=path), SystemClock(), tap)
        port.join(one)
        port.join(other)
        for party in (one, other):
            assert await asked(port, party, b"A\r") == b"a\r"
            await port.leave(party)
    for device in ("d1", "d2"):
        mine = [(direction, data) for line, name, direction, data in seen if name == device]
        assert mine[0] == ("tx", b"A\r")
        assert b"".join(data for direction, data in mine if direction == "rx") == b"a\r"
    assert {line for line, *_ in seen} == {path}


async def test_bytes_that_several_listen_to_are_nobodys(tmp_path):
    path, seen = str(tmp_path / "port"), []

    def tap(line, direction, data, *, device="", note=""):
        seen.append((device, bytes(data)))

    async with instrument(path) as device:
        port = Port(Endpoint("line", serial=path), SystemClock(), tap)
        parties = [Party("one", device="d1"), Party("other", device="d2")]
        for expected, party in zip(("d1", ""), parties, strict=True):
            port.join(party)
            async with contextlib.aclosing(port.listen(party)) as stream:
                hearing = asyncio.ensure_future(anext(stream))
                while not port._connection.is_open:
                    await asyncio.sleep(0.005)
                device.say(b"7\r")
                await hearing
            assert {name for name, _ in seen} == {expected}
            seen.clear()
        for party in parties:
            await port.leave(party)
