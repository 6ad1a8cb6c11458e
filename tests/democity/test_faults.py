"""Each trouble of ``make demo FAULT=…``, as an operator sees it come and go."""

import time

import numpy as np
import pytest

from tests.city.demo_city import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NEAR_THE_BURST = "pl-111"
FAR_FROM_IT = "pl-50"


def troubled(tmp_path, fault, lasts_s):
    arguments = ["--fault", fault, "--fault-after", "2", "--fault-lasts", str(lasts_s)]
    return Demo(tmp_path / "demo", *arguments)


async def alarms_about(demo, words):
    """Return the alarms whose point holds these words."""
    return [one for one in await demo.alarms() if words in (one["point"] or "")]


async def test_a_burst_raises_alarms_near_it_until_it_is_mended(tmp_path):
    async with troubled(tmp_path, "burst", 12) as demo:
        pressure = await demo.point(f"{NEAR_THE_BURST}/pressure")
        before = await demo.until(lambda: demo.value(pressure["row"]))
        await demo.says("has burst")

        async def raised():
            near, flow = [await alarms_about(demo, name) for name in (NEAR_THE_BURST, "fm-120")]
            return (near[0], flow[0]) if near and flow else None

        pressure_alarm, flow_alarm = await demo.until(raised)
        assert pressure_alarm["kind"] == flow_alarm["kind"] == "limit"
        assert pressure_alarm["state"] == "raised"
        assert await demo.value(pressure["row"]) < pressure["normal"][0]
        assert all(pressure_alarm["text"][language] for language in ("kk", "ru", "en"))
        assert before > pressure["normal"][0]
        assert await alarms_about(demo, FAR_FROM_IT) == []
        answer = await demo.http.post(f"alarms/{pressure_alarm['id']}/acknowledge")
        assert answer.status_code == 200
        (seen,) = await alarms_about(demo, NEAR_THE_BURST)
        assert seen["acknowledged_by"] == "demo"
        await demo.says("is mended")

        async def gone():
            near, flow = [await alarms_about(demo, name) for name in (NEAR_THE_BURST, "fm-120")]
            # Seen and over leaves the list; over but unseen stays until somebody has looked.
            return not near and [one["state"] for one in flow] == ["returned"]

        await demo.until(gone)


async def test_a_silent_device_turns_bad_alone_and_comes_back(tmp_path):
    async with troubled(tmp_path, "silent-device", 25) as demo:
        row = (await demo.point("vc-189/flow"))["row"]
        neighbour = (await demo.point("vc-187/flow"))["row"]
        await demo.says("answers no more")

        async def bad():
            return (await demo.latest([row]))[row]["reason"] == "silent"

        await demo.until(bad)
        silent = (await demo.latest([row]))[row]
        assert (silent["severity"], silent["value"]) == (2, None)
        assert (await demo.latest([neighbour]))[neighbour]["severity"] == 0
        (alarm,) = await demo.until(lambda: alarms_about(demo, "vc-189"))
        assert alarm["kind"] == "device"
        await demo.says("answers again")

        async def good():
            value = (await demo.latest([row]))[row]
            (alarm,) = await alarms_about(demo, "vc-189")
            return value["severity"] == 0 and alarm["state"] == "returned"

        await demo.until(good)


async def test_without_the_broker_its_points_turn_bad_and_come_back(tmp_path):
    async with troubled(tmp_path, "broker-down", 25) as demo:
        points = await demo.points()
        sensors = [
            one["row"] for one in points.values()
            if one["device"].startswith(("air-", "road-")) and one["source"] == "measured"
        ]  # fmt: skip
        others = [one["row"] for key, one in points.items() if key.endswith("/pressure")]
        assert len(sensors) >= 20
        await demo.says("the broker is down")

        async def severities(rows):
            return {value["severity"] for value in (await demo.latest(rows)).values()}

        async def all_bad():
            return await severities(sensors) == {2}

        await demo.until(all_bad)
        assert await severities(others) == {0}
        await demo.says("the broker is back")

        async def all_good():
            return await severities(sensors) == {0}

        await demo.until(all_good)


async def test_after_the_hub_was_down_history_has_no_gap_and_nothing_twice(tmp_path):
    async with troubled(tmp_path, "hub-down", 15) as demo:
        row = (await demo.point("vc-189/upstream"))["row"]
        await demo.says("the hub is down")
        before = demo.child("democity.field")
        await demo.says("the hub is back")
        back_ms = time.time_ns() // 1_000_000

        async def caught_up():
            # A gateway's samples arrive in order: with one from after the return, all are there.
            times = await demo.history(row)
            return times if times[-1] > back_ms + 5000 else None

        times = np.array(await demo.until(caught_up))
        assert len(times) == len(np.unique(times)), "nothing twice"
        # Read once a second: the time without a hub would be one step of 15,000 ms.
        assert np.diff(times).max() < 5000, "no gap"
        assert times[-1] - times[0] > 15_000
        assert before.is_running(), "the devices knew nothing of it"
