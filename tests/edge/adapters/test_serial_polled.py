"""Serial instruments that are polled, on real ptys: answers, silence, neighbours, commands."""

import asyncio
import contextlib

import pytest

from citytwin import Quality
from citytwin.adapter import Picks
from citytwin.errors import DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import FRAME, bindings_of, build, frame, instrument, opened
from tests.edge.test_poller_fleet import Fleet

GOOD, MALFORMED, NONE = Quality.GOOD, Quality.BAD_MALFORMED, Quality.BAD_NOT_A_NUMBER

POLLED = {
    "mode": "polled", "address": 1, "request": r"#{address:02d}\r", "match": "{address:02d}",
    "line": {"terminator": r"\r"},
}  # fmt: skip
VALUE = {"chars": [3, 20], "unit": "kPa"}


def replies(value=b"+0012.5 kPa", *more):
    """Answer as instrument 1 and nobody else."""
    return lambda request: [*more, b"01" + value + b"\r"] if request[:3] == b"#01" else []


async def test_polled_lines(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, replies(b"+0012.5 kPa", b"\xffnoise\r", 0.05)) as one:
        points = [VALUE, {"request": r"#01T\r", "chars": [3, 5]}, VALUE]
        adapter = build(new_site(), points, serial=port, **POLLED)
        assert adapter.requests == 2
        async with opened(adapter):
            batch = await adapter.read()
        assert batch.point.tolist() == [0, 2, 1]
        assert batch.value.tolist() == [12.5, 12.5, 0.0]
        assert one.asked == [b"#01\r", b"#01T\r"]


async def test_conformance(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, replies()):
        points = [VALUE, {"chars": [3, 8]}]
        await check_adapter(
            lambda: build(new_site(), points, serial=port, **POLLED), bindings_of(points)
        )


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([], DeviceSilent, "instrument 1 at .*port gave no answer in time"),
        ([b"01+12.5"], DeviceMalformed, "none of it is the message that is awaited"),
        ([b"02+12.5\r"], DeviceMalformed, r"awaited\): b'02\+12.5"),
        ([b"\xfe" * 600], DeviceMalformed, "no line ends within 256 bytes"),
        ([b"01", 0.2, b"+1"], DeviceMalformed, "cannot be used"),
    ],
)
async def test_troubles_of_a_poll(tmp_path, answer, error, words):
    port, turn = str(tmp_path / "port"), [0]

    def answered(request):
        turn[0] += 1
        return answer if turn[0] in {2, 3} else replies()(request)

    async with instrument(port, answered):
        adapter = build(new_site(), [VALUE], serial=port, **POLLED | {"reply_timeout_s": 0.15})
        async with opened(adapter):
            assert (await adapter.read()).value.tolist() == [12.5]
            for _ in range(2):
                with pytest.raises(error, match=words):
                    await adapter.read()
            assert (await adapter.read()).value.tolist() == [12.5], "it recovers"


async def test_a_field_that_is_none_is_malformed_and_the_others_are_read(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, replies(b"+0012.5,ERR,---")):
        points = [
            {"pattern": r"01([^,]*)"}, {"column": 2}, {"column": 3, "sentinel": ["---"]},
            {"column": 9}, {"column": 2, "words": {"ERR": 3}},
            {"name": "t", "kind": "text", "column": 2},
        ]  # fmt: skip
        async with opened(build(new_site(), points, serial=port, **POLLED)) as adapter:
            batch = await adapter.read()
    assert batch.quality.tolist() == [GOOD, MALFORMED, NONE, MALFORMED, GOOD, GOOD]
    assert batch.value.tolist()[::4] == [12.5, 3.0]


async def test_after_silence_nothing_more_is_asked_in_a_poll(tmp_path):
    port = str(tmp_path / "port")
    answered = lambda request: [b"01+1\r"] if request == b"#01A\r" else []  # noqa: E731
    async with instrument(port, answered) as one:
        points = [VALUE | {"request": rf"#01{letter}\r"} for letter in "ABC"]
        async with opened(build(new_site(), points, serial=port, **POLLED)) as adapter:
            batch = await adapter.read()
        assert batch.quality.tolist() == [GOOD, Quality.BAD_SILENT, Quality.BAD_SILENT]
        assert one.asked == [b"#01A\r", b"#01B\r"]


async def test_polled_frames_with_an_echo(tmp_path):
    port = str(tmp_path / "port")
    answered = lambda request: [request, frame(b"\x05\x00\x2a")]  # noqa: E731
    async with instrument(port, answered, b"\x16") as one:
        settings = {
            "mode": "polled", "address": 5, "echo": True, "match_at": 2,
            "match": "{address:uint8}", "request": r"\x10\x01{address:uint8}{checksum}\x16",
        }  # fmt: skip
        points = [{"at": 3, "type": "uint16"}]
        async with opened(build(new_site(), points, serial=port, **FRAME, **settings)) as adapter:
            for _ in range(2):
                assert (await adapter.read()).value.tolist() == [42]
        assert one.asked == [b"\x10\x01\x05\x05\x16"] * 2


async def test_an_instrument_behind_a_serial_server():
    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r")
                writer.write(b"01+7\r")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    adapter = build(new_site(), [VALUE], host="127.0.0.1", port=number, **POLLED)
    async with opened(adapter):
        assert (await adapter.read()).value.tolist() == [7]
        adapter._port._connection._link.transport.get_extra_info("socket").shutdown(2)
        assert (await adapter.read()).value.tolist() == [7], "a connection lost while idle"
    server.close()


async def test_unplugged_in_the_middle_of_an_answer_and_back(tmp_path):
    port = str(tmp_path / "port")
    adapter = build(new_site(), [VALUE], serial=port, **POLLED | {"reply_timeout_s": 5.0})
    async with opened(adapter):
        async with instrument(port, lambda _: [b"01+99", 5.0]) as one:
            asking = asyncio.ensure_future(adapter.read())
            async with asyncio.timeout(5):
                while not (one.asked and adapter._port._heard_at):
                    await asyncio.sleep(0.005)
        with pytest.raises(DeviceSilent, match="closed the connection"):
            await asking
        with pytest.raises(DeviceSilent, match="port is not reachable: No such file"):
            await adapter.read()
        async with instrument(port, replies()), asyncio.timeout(10):
            batch = None
            while batch is None:
                with contextlib.suppress(DeviceSilent):
                    batch = await adapter.read()
                await asyncio.sleep(0.02)
        assert batch.value.tolist() == [12.5], "nothing is left of the first half"


@pytest.mark.parametrize("marked", [True, False])
async def test_a_silent_neighbour_leaves_the_others_their_pace(tmp_path, marked):
    port, site = str(tmp_path / "port"), new_site()
    fleet = Fleet(site.clock)
    more = {} if marked else {"match": ""}
    async with instrument(port, lambda r: [] if r == b"#02\r" else [r[1:3] + b"+7\r"]):
        for address in (1, 2, 3):
            patience = {"reply_timeout_s": 0.1 if address == 2 else 1.0}
            settings = POLLED | more | patience | {"address": address}
            fleet.add(build(site, [VALUE], serial=port, **settings))
        first, silent, third = await fleet.ratios()
    assert silent == 0
    assert min(first, third) >= 0.9
    assert fleet.bad == [set(), {Quality.BAD_SILENT}, set()]
    assert fleet.pollers[1].stats.polls >= 3, "it is still asked"


async def test_anothers_late_answer_is_not_taken(tmp_path):
    """Where answers carry no address, one waits until a late one would have come."""
    port, site = str(tmp_path / "port"), new_site()
    delays = iter([0.25, 0.0, 0.0])
    answered = lambda request: [next(delays), request[1:3] + b"\r"]  # noqa: E731
    plain = {**POLLED, "match": "", "reply_timeout_s": 0.15}
    async with instrument(port, answered):
        first = build(site, [{}], serial=port, **plain)
        second = build(site, [{}], serial=port, **plain | {"address": 2})
        async with opened(first), opened(second):
            with pytest.raises(DeviceSilent):
                await first.read()
            assert (await second.read()).value.tolist() == [2]
            assert (await first.read()).value.tolist() == [1]


# ---- commands
def controller(request):
    if request.startswith(b"#01S"):
        return [b"01NO\r"] if request == b"#01S9.0\r" else [b"01OK\r"]
    return [b"01+3\r"]


SETTABLE = VALUE | {
    "command": r"#{address:02d}S{value:.1f}\r", "command_answer": "{address:02d}OK",
    "command_refusal": "{address:02d}NO", "writable": [0, 10],
}  # fmt: skip


async def test_commands(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, controller) as one:
        points = [SETTABLE, VALUE, VALUE | {"command": r"#01X{value:uint8}\r"}]
        async with opened(build(new_site(), points, serial=port, **POLLED)) as adapter:
            await adapter.write(0, 3.0)
            assert one.asked == [b"#01S3.0\r"]
            with pytest.raises(DeviceRefused, match="answered b'01NO"):
                await adapter.write(0, 9.0)
            with pytest.raises(DeviceRefused, match="has no command"):
                await adapter.write(1, 1.0)
            with pytest.raises(DeviceRefused, match="not written: 300 is outside 0 to 255"):
                await adapter.write(2, 300.0)
            await adapter.write(2, 7.0)
            assert (await adapter.read()).value.tolist() == [3, 3, 3]
        assert one.asked[2:] == [b"#01X\x07\r", b"#01\r"]


async def test_whether_a_command_was_heard_is_not_known(tmp_path):
    port = str(tmp_path / "port")
    for answer, error in (([], DeviceSilent), ([b"?\r"], DeviceMalformed)):
        async with instrument(port, lambda _, answer=answer: answer) as one:
            adapter = build(new_site(), [SETTABLE], serial=port, **POLLED)
            async with opened(adapter):
                with pytest.raises(error):
                    await adapter.write(0, 3.0)
            assert one.asked == [b"#01S3.0\r"], "it is never sent twice"


# ---- probing
async def test_a_probe_shows_bytes_and_lines(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, lambda r: [b"01+12.5kPa\r"] if r == b"#01\r" else [b"01\xfe"]):
        points = [VALUE, VALUE | {"request": r"#01T\r"}]
        async with opened(build(new_site(), points, serial=port, **POLLED)) as adapter:
            good, bad = await adapter.probe()
    assert (good.raw, good.value, good.quality, good.note) == (
        b"+12.5kPa", 12.5, GOOD, "01+12.5kPa",
    )  # fmt: skip
    assert good.elapsed_ns > 0
    assert (bad.raw, bad.quality) == (b"01\xfe", MALFORMED)
    assert "none of it is the message" in bad.note


async def test_a_probe_of_silence_asks_once(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        points = [VALUE, VALUE | {"request": r"#01T\r"}]
        async with opened(build(new_site(), points, serial=port, **POLLED)) as adapter:
            probed = await adapter.probe()
        assert one.asked == [b"#01\r"]
    assert [one.quality for one in probed] == [Quality.BAD_SILENT] * 2
    assert probed[1].note.startswith("not asked: instrument 1 at")


# ---- waking, and slow points
class Sleeper:
    """Answers its requests only when it was woken; falls asleep when a test says so."""

    def __init__(self):
        self.is_awake = False
        self.woken = 0
        self.wakes_after = 1

    def __call__(self, request):
        if request == b"WAKE\r":
            self.woken += 1
            self.is_awake = self.woken >= self.wakes_after
            return [b"READY\r"] if self.is_awake else []
        return replies()(request) if self.is_awake else []


WAKE = {"wake": {"send": r"WAKE\r", "answer": "READY", "attempts": 3, "timeout_s": 0.1}}


async def test_an_instrument_that_sleeps_is_woken_before_it_is_asked_and_after_silence(tmp_path):
    port, sleeper = str(tmp_path / "port"), Sleeper()
    sleeper.wakes_after = 3
    async with instrument(port, sleeper) as one:
        adapter = build(new_site(), [VALUE], serial=port, **POLLED | WAKE)
        async with opened(adapter):
            for _ in range(2):
                assert (await adapter.read()).value.tolist() == [12.5]
            assert one.asked == [b"WAKE\r"] * 3 + [b"#01\r"] * 2
            sleeper.is_awake = False
            with pytest.raises(DeviceSilent):
                await adapter.read()
            assert (await adapter.read()).value.tolist() == [12.5]
        assert one.asked[5:] == [b"#01\r", b"WAKE\r", b"#01\r"]
        async with opened(adapter):
            (probed,) = await adapter.probe()
        assert (probed.value, one.asked[-2:]) == (12.5, [b"WAKE\r", b"#01\r"])


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([], DeviceSilent, "wake: instrument 1 at .* gave no answer in time"),
        ([b"WHAT?\r"], DeviceMalformed, r"answered b'WHAT\?\\r' to wake"),
    ],
)
async def test_an_instrument_that_cannot_be_woken_is_not_asked(tmp_path, answer, error, words):
    port = str(tmp_path / "port")
    async with instrument(port, lambda _: answer) as one:
        async with opened(build(new_site(), [VALUE], serial=port, **POLLED | WAKE)) as adapter:
            with pytest.raises(error, match=words):
                await adapter.read()
            (probed,) = await adapter.probe()
        assert set(one.asked) == {b"WAKE\r"}
        assert probed.note.startswith("not asked: ")
    async with opened(build(new_site(), [VALUE], serial=port, **POLLED | WAKE)) as adapter:
        with pytest.raises(DeviceSilent, match="port is not reachable"):
            await adapter.read()


async def test_what_needs_no_answer_is_sent_and_left_to_settle(tmp_path):
    port, sleeper = str(tmp_path / "port"), Sleeper()
    wake = {"wake": {"send": r"WAKE\r", "settle_s": 0.05}}
    async with instrument(port, sleeper) as one:
        adapter = build(new_site(), [VALUE], serial=port, **POLLED | wake)
        async with opened(adapter):
            assert (await adapter.read()).value.tolist() == [12.5]
        assert one.asked == [b"WAKE\r", b"#01\r"]


async def test_some_points_are_asked_for_alone(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, replies()) as one:
        points = [VALUE, {"request": r"#01T\r", "chars": [3, 5]}, VALUE]
        adapter = build(new_site(), points, serial=port, **POLLED)
        assert isinstance(adapter, Picks)
        async with opened(adapter):
            assert (await adapter.read_some([0])).point.tolist() == [0]
            assert (await adapter.read_some([1, 2])).point.tolist() == [2, 1]
        assert one.asked == [b"#01\r", b"#01\r", b"#01T\r"]
