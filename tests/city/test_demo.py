"""The demo city end to end: real processes, sockets, serial lines and certificates."""

import sys

import pytest
from cryptography import x509

from tests.city.demo_city import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_the_demo_city(tmp_path, capsys):
    async with Demo(tmp_path / "demo") as demo:
        points = await demo.points()
        it_has_what_it_promises(demo, points)
        await every_measured_point_is_good(demo, points)
        await instruments_are_read_and_commanded(demo, points)
        await a_valve_closes_and_pressures_answer(demo, points)
        await points_belong_to_objects(demo, points)
        row = next(one["row"] for one in points.values() if one["device"] == "vc-189")
        first = (await demo.history(row))[0]
    again = Demo(tmp_path / "demo", offset=demo.offset, port=demo.port)
    async with again:
        assert again.url == demo.url, "an open page stays signed in"
        assert (await again.history(row))[0] == first, "the second start continues the history"
        with capsys.disabled():
            sys.stdout.write(f" starts: {demo.started_s:.1f} s, again {again.started_s:.1f} s ")


def it_has_what_it_promises(demo, points):
    measured = [one for one in points.values() if one["source"] == "measured"]
    configs = {path.parent.name: path.read_text() for path in demo.state.glob("gateways/*/*.toml")}
    devices = {
        line: text
        for config in configs.values()
        for text in config.split("[[device]]")[1:]
        for line in [text.split('name = "', 1)[1].split('"', 1)[0]]
    }
    assert {one["device"] for one in measured} == set(devices)
    assert sum('adapter = "modbus"' in text and "host =" in text for text in devices.values()) >= 40
    assert sum('transport = "rtu"' in text for text in devices.values()) >= 4
    assert sum('adapter = "mqtt"' in text for text in devices.values()) >= 10
    assert len(configs) >= 4
    assert len({demo.child(f"gateways/{name}/").pid for name in configs}) == len(configs)
    names, serials = set(), set()
    for name in configs:
        path = demo.state / "gateways" / name / "state" / "certificate.pem"
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        serials.add(certificate.serial_number)
        names.update(one.value for one in certificate.subject if one.oid._name == "commonName")
    assert names == set(configs)
    assert len(serials) == len(configs)


async def every_measured_point_is_good(demo, points):
    rows = [one["row"] for one in points.values() if one["source"] == "measured"]

    async def all_good():
        values = await demo.latest(rows)
        return [value["severity"] for value in values.values()] == [0] * len(rows)

    await demo.until(all_good)
    assert await demo.alarms() == [], "a quiet city raises no alarm"


async def points_belong_to_objects(demo, points):
    loose = await demo.get("loose-ends")
    assert loose["counts"]["astray"] == 0, loose["astray"]
    (pump,) = [one for one in points.values() if one["id"].endswith("/ps-335/speed")]
    base = demo.http.base_url.copy_with(path="/ngsi-ld/v1/")
    asked = await demo.http.get(f"{base}entities/{pump['feeds']}", params={"options": "keyValues"})
    entity = asked.json()
    assert entity["type"] == "Pump"
    assert entity["startsAt"].startswith("urn:ngsi-ld:"), "the network's relations are there"
    assert 0 <= entity["measuredSpeed"] <= 120
    assert entity["speed"] == 1, "the ratio of the model stays beside it"


async def instruments_are_read_and_commanded(demo, points):
    configs = [path.read_text() for path in demo.state.glob("gateways/*/edge.toml")]
    ports = {line for text in configs for line in text.split("\n") if line.startswith("serial = ")}
    assert sum(text.count('adapter = "serial"') for text in configs) >= 4
    assert len(ports) >= 6, "two lines of Modbus RTU, and those of the instruments"
    named = {one.rpartition("/")[0].rpartition("/")[2] for one in points}
    assert {"lg-1", "lg-2", "wq-1", "wq-2", "ws-1", "hm-1"} <= named
    level, gauge = (next(one for one in points if one.endswith(end))
                    for end in ("/tk-1/level", "/lg-1/gauge-level"))  # fmt: skip
    levels = [await demo.value(points[one]["row"]) for one in (level, gauge)]
    assert abs(levels[0] - levels[1]) < 0.1, "both tell of one tank"
    await demo.settled(next(one for one in points if one.endswith("/wq-1/setpoint")), 0.6)


async def a_valve_closes_and_pressures_answer(demo, points):
    valve = next(one for one in points if one.endswith("/vc-189/open"))
    downstream = points[valve.replace("/open", "/downstream")]["row"]
    flow = points[valve.replace("/open", "/flow")]["row"]
    before = await demo.value(downstream)
    await demo.settled(valve, 0)

    async def answered():
        return await demo.value(flow) == 0 and await demo.value(downstream) < before - 1

    await demo.until(answered)
    await demo.settled(valve, 1)
    refused = await demo.http.post("commands", json={"point": valve, "value": 7})
    assert refused.status_code == 422
    assert "outside 0 … 1" in refused.json()["error"]["message"]
