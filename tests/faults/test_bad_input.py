"""An enrolled gateway sends what no gateway may: clear refusals, and the others live on."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import zstandard

from citytwin import Batch, Point
from citytwin_protos.codec import point_to_bytes
from citytwin_protos.session import Limits
from citytwin_protos.transport import FRAME_BYTES_MAX
from citytwin_protos.v1 import link_pb2 as pb
from tests.faults.books import Watched, opened
from tests.faults.meters import Meter, serving
from tests.faults.villain import Villain
from tests.protos.test_hub_session_bad_input import mutated, sealed

MUTATIONS = 10_000
UNHEARD_MAX = MUTATIONS // 1000
BOMB_BYTES = 1 << 28
GROWTH_KIB_MAX = 128 * 1024
DAY_NS = 86_400 * 10**9
TELEMETRY, ALARM = pb.ENTRY_KIND_TELEMETRY, pb.ENTRY_KIND_ALARM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


def peak_kib(pid):
    """Return the most memory that a process has ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def bad_samples(villain):
    """Send samples that no hub may store, each in a sound entry; return how many were tried."""
    good = villain.batch()
    tried = [
        (villain.batch(point=77), "point number 77 is not one of the"),
        (villain.batch(ahead_ns=3 * DAY_NS), "over a day ahead"),
        (villain.batch(ahead_ns=-20 * 365 * DAY_NS), "before 2020"),
        (villain.batch(value=np.nan), "not a number"),
        (villain.batch(value=np.inf), "infinite"),
        (Batch(good.point, good.time_ns, good.value, np.array([0x3F])), "quality 63"),
    ]
    for batch, words in tried:
        answer = await villain.say(villain.announcement(), villain.entry(batch))
        assert words in " ".join(answer.refused), (words, answer)
    return len(tried)


async def bad_sizes(villain, pid):
    """Send bombs and what is too large; return how many were tried."""
    before, limits = peak_kib(pid), Limits()
    bomb = sealed(zstandard.compress(bytes(BOMB_BYTES)))
    entries = [
        villain.raw_entry(bomb, TELEMETRY),
        villain.raw_entry(bomb, ALARM),
        villain.raw_entry(bytes(limits.body_bytes_max + 1), ALARM),
    ]
    for frame in entries:
        answer = await villain.say(villain.announcement(), frame)
        assert len(answer.refused) == 1, answer
    for size in (limits.frame_bytes_max + 1, FRAME_BYTES_MAX):
        answer = await villain.say(bytes(size))
        assert "REASON_TOO_LARGE: a frame has at most" in answer.bye
    assert peak_kib(pid) - before < GROWTH_KIB_MAX, "no bomb was unpacked"
    return len(entries) + 2


async def bad_turns(villain):
    """Send frames that are none, or may not come; return how many were tried."""
    theirs = Point(id="victim/m/r0")
    foreign = pb.PointInfo(number=9, point=point_to_bytes(theirs))
    tried = [
        ([villain.announcement()], False, "before it was welcomed"),
        ([villain.hello()], True, "said hello twice"),
        ([b""], True, "of no kind that is known"),
        ([Random(1).randbytes(4000)], True, "is not protobuf"),
        ([pb.Up(announce=pb.Announce(points=[foreign])).SerializeToString()], True, "not this"),
    ]
    for frames, greets, words in tried:
        answer = await villain.say(*frames, greets=greets)
        assert words in answer.bye, (words, answer)
    return len(tried)


async def mutations(villain):
    """Send mutated frames, each on a line of its own.

    Returns how many entries were refused, and of how many frames gRPC never said what became.
    """
    random, refused, unheard, forgotten = Random(13), 0, 0, 0
    for _ in range(MUTATIONS):
        frames = villain.valid_frames()
        victim = random.randrange(len(frames))
        answer = await villain.say(*frames[:victim], mutated(frames[victim], random))
        refused += len(answer.refused)
        unheard += not answer.bye
        forgotten += answer.is_forgotten
        assert not answer.is_held, "the hub takes every frame, or ends the line"
    # A line that ends says why; on a loaded machine gRPC may drop the last words of a few.
    assert unheard <= UNHEARD_MAX
    assert forgotten <= UNHEARD_MAX
    return refused, forgotten


async def enrolled_gateway_misbehaves(ground):
    site, meter = await ground.town(), Meter("m")
    bad = await ground.gateway(site, "villain")
    async with serving(meter):
        gateway = await ground.gateway(site, "victim", meter)
        watched = Watched(gateway, meter)
        await watched.start()
        await meter.more()
        villain = Villain("villain", bad.state, site.link)
        try:
            tried = await bad_samples(villain) + await bad_turns(villain)
            tried += await bad_sizes(villain, site.hub.pid)
            refused, forgotten = await mutations(villain)
            await villain.behave()
        finally:
            await villain.close()
        await watched.finish()
    assert len(gateway.said("uplink.connected")) == 1, "the other's line was never disturbed"
    assert gateway.said("uplink.lost") == []
    books = await opened(site, watched)
    remark = (
        f"{MUTATIONS} mutations, {refused} entries refused, {forgotten} frames that gRPC forgot; "
    )
    remark += "the other gateway's samples"
    return books.account("bad input of an enrolled gateway", tried + MUTATIONS, remark)


@pytest.mark.parametrize("scenario", [enrolled_gateway_misbehaves])
async def test_the_hub_refuses_clearly_and_others_lose_nothing(scenario, grounds, told):
    told(await grounds.account(scenario))
