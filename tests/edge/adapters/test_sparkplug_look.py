"""A look at Sparkplug nodes on a real mosquitto: what a probe and a scan show."""

import asyncio

from citytwin import Quality
from citytwin_edge.adapters import sparkplug
from tests.edge.mqtt_devices import hearing, new_site
from tests.edge.sparkplug_nodes import POINTS, device, node, one, plc
from tests.servers import free_port, mosquitto


async def test_a_probe_leaves_the_running_host_alone(tmp_path, monkeypatch):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        own = {"client_id": "gw-1"}
        points = POINTS | {"none": {"metric": "Inputs/Levle"}}
        async with hearing(device(new_site(), port, points, **own), confirms=False) as (ear,):
            await ear.until(lambda ear: ear.samples)
            probed = await device(new_site(), port, points, **own).probe()
            assert not ear.errors, "the running agent was thrown out"
        monkeypatch.setattr(sparkplug, "LOOK_S", 0.5)
        nobody = await device(new_site(), port, points, node="ps-9").probe()
    assert [(one.point, one.value, one.quality) for one in probed[:3]] == [
        (0, 1.5, Quality.GOOD), (1, 0.0, Quality.GOOD), (2, 1.0, Quality.GOOD),
    ]  # fmt: skip
    assert probed[2].note == "auto"
    assert probed[3].quality == Quality.BAD_REFUSED
    assert "no metric 'Inputs/Levle'" in probed[3].note
    assert "it has Inputs/Level (Double), Outputs/Pump (Boolean)" in probed[3].note
    assert {one.note for one in nobody} == {
        "device plc of node ps-9 in group plant said nothing of it within 0.5 s"
    }
    refused = await device(new_site(), free_port(), points).probe()
    assert "Connection refused" in refused[0].note


async def test_a_scan_lists_what_is_born(tmp_path, monkeypatch):
    monkeypatch.setattr(sparkplug, "LOOK_S", 2.0)
    async with mosquitto(tmp_path) as port, node(port) as ps, node(port, group="g") as other:
        ps.devices |= {"plc": plc(), "vsd": []}
        task = asyncio.ensure_future(_found(device(new_site(), port, POINTS)))
        while not task.done():
            await ps.data(one(1.0), "plc", types=False)  # it is asked for its birth
            await other.data([])
            await asyncio.wait([task], timeout=0.2)
        found = dict(task.result())
    ps = 'group_id = "plant"\nedge_node_id = "ps-1"'
    assert sorted(found) == [
        'group_id = "g"\nedge_node_id = "ps-1"', ps, f'{ps}\ndevice_id = "plc"',
        f'{ps}\ndevice_id = "vsd"',
    ]  # fmt: skip
    assert found[f'{ps}\ndevice_id = "plc"'] == (
        "3 metrics: Inputs/Level (Double), Outputs/Pump (Boolean), Mode (String)"
    )
    assert found[f'{ps}\ndevice_id = "vsd"'] == "0 metrics: none"


async def _found(adapter):
    return [(one.address, one.description) async for one in adapter.scan()]
