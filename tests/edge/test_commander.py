"""The commander: once per id, within limits and time, never again after a crash, always told."""

import asyncio

import pytest

from citytwin import Command, OutcomeState, Point, Readback, Span
from citytwin.errors import DeviceError, DeviceRefused, DeviceSilent, StoreFull
from citytwin_edge.commander import Commander, Interlock

NOW = 1_767_225_600 * 10**9
SECOND = 10**9
POINTS = {
    point.id: point
    for point in (
        Point(id="g/d/pump", writable=Span(0, 10)),
        Point(id="g/d/valve", writable=Span(1, 10), step=0.5),
        Point(id="g/d/level"),
    )
}


def order(number, point="g/d/pump", value=5.0, expires=60):
    return Command(
        id=f"{number:032x}",
        point=point,
        value=value,
        issued_by="aigul",
        issued_ns=NOW,
        expires_ns=NOW + expires * SECOND,
        readback=Readback("g/d/pump", value, 0.1, SECOND),
    )


class Gateway:
    """A commander with everything around it in lists."""

    def __init__(self, folder, **options):
        self.written, self.told, self.now = [], [], NOW + SECOND
        self.error: DeviceError | None = None
        self.levels = {"g/d/level": 5.0}
        self.commander = Commander(
            folder / "commands.db",
            POINTS,
            write=self.write,
            tell=self.tell,
            now_ns=lambda: self.now,
            latest=self.levels.get,
            **options,
        )

    async def write(self, point, value):
        self.written.append((point, value))
        if self.error is not None:
            raise self.error

    async def tell(self, outcome):
        self.told.append(outcome)

    async def do(self, command):
        await self.commander.handle(command)
        return self.told[-1]


async def test_a_command_is_executed_once_and_told_again(tmp_path):
    gateway = Gateway(tmp_path)
    first = await gateway.do(order(1))
    again = await gateway.do(order(1))
    assert first.state == OutcomeState.EXECUTED
    assert again == first
    assert gateway.written == [("g/d/pump", 5.0)]
    restarted = Gateway(tmp_path)
    assert await restarted.do(order(1)) == first
    assert restarted.written == []


@pytest.mark.parametrize(
    ("command", "state", "words"),
    [
        (order(1, value=11), OutcomeState.REFUSED, "11 is outside 0 … 10"),
        (order(1, point="g/d/level"), OutcomeState.REFUSED, "cannot be written"),
        (order(1, point="g/d/none"), OutcomeState.REFUSED, "no point"),
        (order(1, expires=1), OutcomeState.EXPIRED, "after it had expired"),
    ],
)
async def test_what_may_not_be_done_is_refused_and_journalled(tmp_path, command, state, words):
    gateway = Gateway(tmp_path)
    gateway.now = NOW + 2 * SECOND
    outcome = await gateway.do(command)
    assert (outcome.state, gateway.written) == (state, [])
    assert words in outcome.reason
    assert await Gateway(tmp_path).do(command) == outcome


@pytest.mark.parametrize(
    ("error", "words"),
    [(DeviceSilent("no answer"), "did not confirm"), (DeviceRefused("exception 4"), "refused")],
)
async def test_a_device_that_does_not_do_it(tmp_path, error, words):
    gateway = Gateway(tmp_path)
    gateway.error = error
    outcome = await gateway.do(order(1))
    assert outcome.state == OutcomeState.FAILED
    assert words in outcome.reason


async def test_an_interlock_holds_without_a_good_value_too(tmp_path):
    lock = Interlock("g/d/pump", "g/d/level", Span(2, 100))
    gateway = Gateway(tmp_path, interlocks=[lock])
    assert (await gateway.do(order(1))).state == OutcomeState.EXECUTED
    gateway.levels["g/d/level"] = 1.0
    assert "interlock: g/d/level is 1" in (await gateway.do(order(2))).reason
    gateway.levels.clear()
    assert "no good value" in (await gateway.do(order(3))).reason
    assert len(gateway.written) == 1


async def test_a_command_that_a_crash_left_begun_is_failed_and_never_repeated(tmp_path):
    gateway = Gateway(tmp_path)

    async def crash(point, value):
        raise KeyboardInterrupt

    gateway.commander._write = crash
    with pytest.raises(KeyboardInterrupt):
        await gateway.commander.handle(order(1))
    restarted = Gateway(tmp_path)
    running = asyncio.ensure_future(restarted.commander.run())
    async with asyncio.timeout(5):
        while not restarted.told:
            await asyncio.sleep(0)
    running.cancel()
    assert restarted.told[0].state == OutcomeState.FAILED
    assert "not known" in restarted.told[0].reason
    assert (await restarted.do(order(1))).state == OutcomeState.FAILED
    assert restarted.written == []


def test_the_queue_is_bounded(tmp_path):
    gateway = Gateway(tmp_path)
    taken = [gateway.commander.offer(order(number)) for number in range(1, 120)]
    assert taken.count(True) == 100


async def test_without_a_journal_nothing_is_written_and_nobody_dies(tmp_path):
    gateway = Gateway(tmp_path)
    gateway.commander._db.execute("PRAGMA query_only = ON")
    outcome = await gateway.do(order(1))
    assert outcome.state == OutcomeState.REFUSED
    assert "the journal of commands" in outcome.reason
    assert not gateway.written
    gateway.commander._db.execute("PRAGMA query_only = OFF")
    assert (await gateway.do(order(1))).state == OutcomeState.EXECUTED


async def test_what_was_done_is_told_even_if_the_journal_fails_meanwhile(tmp_path):
    gateway = Gateway(tmp_path)
    write = gateway.write

    async def write_and_fill_the_disk(point, value):
        await write(point, value)
        gateway.commander._db.execute("PRAGMA query_only = ON")

    gateway.commander._write = write_and_fill_the_disk
    assert (await gateway.do(order(1))).state == OutcomeState.EXECUTED


@pytest.mark.parametrize(("value", "state"), [(1, "executed"), (9.5, "executed"), (2.3, "refused")])
async def test_a_value_between_the_steps_is_refused(tmp_path, value, state):
    outcome = await Gateway(tmp_path).do(order(1, "g/d/valve", value))
    assert outcome.state == OutcomeState(state)
    if state == "refused":
        assert outcome.reason == "2.3 is not 1 plus a multiple of 0.5"


async def test_a_point_is_set_once_in_its_interval_also_after_a_restart(tmp_path):
    interval = {"g/d/pump": 30 * SECOND}
    gateway = Gateway(tmp_path, intervals_ns=interval)
    await gateway.do(order(1))
    gateway.now += 10 * SECOND
    refused = await gateway.do(order(2))
    assert refused.state == OutcomeState.REFUSED
    assert refused.reason == "g/d/pump was set 10 s ago; it may be set once in 30 s"
    again = Gateway(tmp_path, intervals_ns=interval)
    again.now = gateway.now + 10 * SECOND
    assert (await again.do(order(3))).state == OutcomeState.REFUSED, "a refusal counts for nothing"
    again.now += 10 * SECOND
    assert (await again.do(order(4))).state == OutcomeState.EXECUTED
    assert (await again.do(order(5, "g/d/valve"))).state == OutcomeState.EXECUTED


async def test_what_was_set_last_is_known_and_failsafe_is_part_of_it(tmp_path):
    gateway = Gateway(tmp_path)
    assert gateway.commander.last_set("g/d/pump") is None
    await gateway.do(order(1, value=7.0))
    await gateway.do(order(2, value=11.0))
    assert gateway.commander.last_set("g/d/pump") == 7.0
    gateway.error = DeviceSilent("no power")
    assert not await gateway.commander.secure("g/d/pump", 0.0)
    assert gateway.commander.last_set("g/d/pump") == 7.0
    gateway.error = None
    assert await gateway.commander.secure("g/d/pump", 0.0)
    assert gateway.written[-1] == ("g/d/pump", 0.0)
    assert Gateway(tmp_path).commander.last_set("g/d/pump") == 0.0
    assert len(gateway.told) == 2, "nobody asked for it, so nobody is told"


async def test_who_asks_here_is_told_the_outcome_as_the_hub_is(tmp_path):
    gateway = Gateway(tmp_path)
    running = asyncio.ensure_future(gateway.commander.run())
    done, refused = await asyncio.gather(
        gateway.commander.ask(order(1)), gateway.commander.ask(order(2, value=11.0))
    )
    assert (done.state, refused.state) == (OutcomeState.EXECUTED, OutcomeState.REFUSED)
    again = await gateway.commander.ask(order(1))
    assert again == done
    assert gateway.written == [("g/d/pump", 5.0)]
    assert gateway.told == [done, refused, again]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_asks_too_much_is_told_at_once(tmp_path):
    gateway = Gateway(tmp_path)
    while gateway.commander.offer(order(9)):
        pass
    with pytest.raises(StoreFull, match="try again later"):
        await gateway.commander.ask(order(1))
    assert gateway.commander._asked == {}


async def test_who_no_longer_waits_hinders_nobody(tmp_path):
    gateway = Gateway(tmp_path)
    asking = asyncio.ensure_future(gateway.commander.ask(order(1)))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    running = asyncio.ensure_future(gateway.commander.run())
    assert (await gateway.commander.ask(order(2))).state == OutcomeState.EXECUTED
    assert len(gateway.told) == 2, "what was ordered is done"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
