"""Sparkplug nodes on a real mosquitto, made with pysparkplug: births, data, deaths, commands."""

import asyncio
import math
import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pysparkplug
import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange, Listens, Probes, Scans, Writes
from citytwin.errors import ConfigError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge.adapters.sparkplug import SPARKPLUG
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice, SparkplugPoint
from citytwin_edge.config import load
from citytwin_edge.wire import sparkplug_b_pb2 as pb
from citytwin_edge.wire.sparkplug_payload import parse
from tests.edge.mqtt_devices import bound, hearing, new_site
from tests.edge.sparkplug_nodes import (
    LEVEL,
    MODE,
    NOON,
    NOON_MS,
    POINTS,
    PUMP,
    device,
    metric,
    node,
    one,
    payload,
    plc,
)
from tests.servers import mosquitto
from tests.waiting import until


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_births_data_and_deaths_become_samples(tmp_path, version):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        adapter = device(new_site(), port, POINTS, version=version)
        async with hearing(adapter, confirms=False) as (ear,):
            await ear.until(lambda ear: len(ear.samples) == 3)  # it was asked for its birth
            assert [sample[:3] for sample in ear.samples] == [
                (LEVEL, 1.5, Quality.GOOD), (PUMP, 0.0, Quality.GOOD), (MODE, 1.0, Quality.GOOD),
            ]  # fmt: skip
            await ps.data(one(2.5, at_ms=NOON_MS + 40), "plc", types=False)
            await ear.until(lambda ear: len(ear.samples) == 4)
            assert ear.samples[3][:3] == (LEVEL, 2.5, Quality.GOOD)
            assert ear.samples[3][3] == NOON + 40_000_000
            await ps.say("DDEATH", device="plc")
            await ear.until(lambda ear: len(ear.samples) == 7)
            assert ear.qualities()[-1] == Quality.BAD_SILENT
            await ps.say("DBIRTH", plc(3.5), "plc")
            await ear.until(lambda ear: len(ear.samples) == 10)
            assert ear.values()[-1] == 3.5
            await ps.die()
            await ear.until(lambda ear: len(ear.samples) == 13)
            assert [ear.qualities(point)[-1] for point in range(3)] == [Quality.BAD_SILENT] * 3
            ps.bd_seq += 1
            await ps.bear()
            await ear.until(lambda ear: len(ear.samples) == 16)
            assert ear.qualities()[-1] == Quality.GOOD
    assert not ear.errors
    for point in range(3):
        times = [sample[3] for sample in ear.samples if sample[0] == point]
        assert times == sorted(set(times)), "what it is now is later than that it was gone"


async def test_a_node_that_is_cut_off_is_silent_at_once(tmp_path):
    async with mosquitto(tmp_path) as port:
        own = {"pump": {"metric": "Outputs/Pump", "kind": "state"}}
        adapter = device(new_site(), port, own, device_id="")
        async with hearing(adapter, confirms=False) as (ear,):
            await ear.connected()
            async with node(port) as ps:
                await ps.bear()
                await ear.until(lambda ear: ear.qualities() == [Quality.GOOD])
                cable = ps.client._client.socket()
                cable.close()  # no farewell: the broker sends its will
                await ear.until(lambda ear: ear.qualities()[1:] == [Quality.BAD_SILENT])
                ps.client._disconnected.set_result(None)
    assert not ear.errors


async def test_a_node_of_another_library_by_itself(tmp_path, monkeypatch):
    """pysparkplug's own node, with its own MQTT client and will."""
    # It calls what newer versions of its MQTT client have no more, and which did nothing.
    monkeypatch.setattr(paho.Client, "message_retry_set", lambda *_, **__: None, raising=False)
    async with mosquitto(tmp_path) as port:
        own = {"pump": {"metric": "Outputs/Pump", "kind": "state", "writable": [0, 1]}}
        del own["pump"]["writable"]
        both = {"level": {"metric": "Inputs/Level"}}
        site = new_site()
        whole, part = device(site, port, own, device_id="", name="n"), device(site, port, both)
        async with hearing(whole, part, confirms=False) as (ear, other):
            await ear.connected()
            obeyed = []
            with pytest.warns(DeprecationWarning, match="Callback API version 1"):
                client = pysparkplug.Client(
                    client_id="their-node",
                    client_options=pysparkplug.ClientOptions(reconnect_on_failure=False),
                )
            theirs = pysparkplug.EdgeNode(
                "plant", "ps-1", [metric("Outputs/Pump", "BOOLEAN", False)], client,
                lambda _, message: obeyed.append(message),
            )  # fmt: skip
            theirs.register(pysparkplug.Device("plc", [metric("Inputs/Level", "DOUBLE", 1.5)]))
            await asyncio.to_thread(theirs.connect, "127.0.0.1", port=port)
            try:
                await ear.until(lambda ear: ear.values() == [0.0])
                await other.until(lambda ear: ear.values() == [1.5])
                theirs.update([metric("Outputs/Pump", "BOOLEAN", True, at_ms=NOON_MS + 5)])
                await ear.until(lambda ear: ear.values() == [0.0, 1.0])
                await whole.write(0, 0.0)
                await until(lambda: obeyed, "the command")
                theirs.deregister("plc")
                await other.until(lambda ear: ear.qualities()[-1] == Quality.BAD_SILENT)
            finally:
                client._client._sock_close()
            await ear.until(lambda ear: ear.qualities()[-1] == Quality.BAD_SILENT)
            await asyncio.to_thread(client._client.loop_stop)
    (told,) = obeyed[0].payload.metrics
    assert (told.name, told.value) == ("Outputs/Pump", False)


# ---- order, losses, restarts


async def test_lost_births_are_asked_for(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        async with hearing(device(new_site(), port, POINTS), confirms=False) as (ear,):
            await ear.until(lambda ear: len(ear.samples) == 3)
            ps.bd_seq, ps.seq = 1, 0  # it has begun anew, and nobody has heard it
            ps.devices["plc"] = [
                metric("Outputs/Pump", "BOOLEAN", True, alias=10),
                metric("Inputs/Level", "DOUBLE", 7.0, alias=11), *plc()[2:],
            ]  # fmt: skip
            await ps.data([metric(None, "BOOLEAN", True, alias=10)], "plc", types=False)
            await ear.until(lambda ear: Quality.BAD_STALE in ear.qualities())
            ps.births = 0
            await ear.until(lambda ear: ear.values()[-1] == 7.0)
    assert ps.births == 1
    assert ear.values(PUMP)[-1] == 1.0
    assert {value for value in ear.values() if not math.isnan(value)} == {1.5, 7.0}


async def test_messages_that_overtake_each_other(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        adapter = device(new_site(), port, POINTS, reorder_s=30)
        async with hearing(adapter, confirms=False) as (ear,):
            await ear.connected()
            await ps.bear()
            for seq in (4, 3, 2):
                ps.seq = seq
                await ps.data(one(float(seq), at_ms=NOON_MS + seq), "plc", types=False)
            await ear.until(lambda ear: ear.values() == [1.5, 2.0, 3.0, 4.0])
    assert ps.births == 1


async def test_a_gap_is_stale_until_the_node_is_born_again(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        async with hearing(device(new_site(), port, POINTS), confirms=False) as (ear,):
            await ear.until(lambda ear: len(ear.samples) == 3)
            ps.seq += 1
            await ps.data(one(9.0), "plc", types=False)
            await ear.until(lambda ear: Quality.BAD_STALE in ear.qualities())
            assert ear.values()[0] == 1.5
            assert 9.0 not in ear.values(), "what follows a gap may mean something else"


async def test_two_nodes_with_the_same_device(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps, node(port, name="ps-2") as other:
        site = new_site()
        ps.devices["plc"], other.devices["plc"] = plc(1.0), plc(2.0)
        adapters = [
            device(site, port, POINTS, name=name, node=name) for name in ("ps-1", "ps-2")
        ]  # fmt: skip
        async with hearing(*adapters, confirms=False) as (ear, second):
            await ear.until(lambda ear: ear.samples)
            await second.until(lambda ear: ear.samples)
            await other.die()
            await second.until(lambda ear: ear.qualities()[-1] == Quality.BAD_SILENT)
            await ps.data(one(3.0), "plc", types=False)
            await ear.until(lambda ear: ear.values() == [1.0, 3.0])
            assert second.values()[0] == 2.0


async def test_flags_of_metrics(tmp_path):
    points = {
        "null": {"metric": "Null"}, "bad": {"metric": "Bad"}, "old": {"metric": "Old"},
        "kept": {"metric": "Fleeting", "transient": True}, "left": {"metric": "Fleeting"},
        "none": {"metric": "None"}, "third": {"metric": "Array", "element": 2},
        "array": {"metric": "Array"}, "udt": {"metric": "Motor"},
        "raw": {"metric": "Raw", "at": 1, "type": "uint16", "order": "DCBA"},
        "word": {"metric": "Word", "kind": "state", "words": {"run": 1, "halt": 0}},
    }  # fmt: skip
    said = [
        pb.Metric(name="Null", datatype=10, is_null=True, timestamp=NOON_MS),
        pb.Metric(name="Bad", datatype=10, double_value=4.0, properties=pb.PropertySet(
            keys=["Quality"], values=[pb.PropertyValue(type=3, int_value=0)])),
        pb.Metric(name="Old", datatype=10, double_value=5.0, is_historical=True,
                  timestamp=NOON_MS - 5),
        pb.Metric(name="Fleeting", datatype=10, double_value=6.0, is_transient=True),
        pb.Metric(name="Array", datatype=23, bytes_value=bytes([1, 0, 2, 0, 3, 0])),
        pb.Metric(name="Motor", datatype=19, template_value=b""),
        pb.Metric(name="Raw", datatype=17, bytes_value=bytes([9, 1, 2])),
        pb.Metric(name="Word", datatype=12, string_value="run"),
    ]  # fmt: skip
    async with mosquitto(tmp_path) as port, node(port) as ps:
        adapter = device(new_site(), port, points, device_id="")
        async with hearing(adapter, confirms=False) as (ear,):
            await ear.connected()
            birth = pb.Payload(timestamp=NOON_MS, seq=0, metrics=said).SerializeToString()
            await ps.client.publish(ps.topic("NBIRTH"), birth)
            await ear.until(lambda ear: len(ear.samples) == len(points))
    names = list(points)
    found = {names[index]: (value, quality) for index, value, quality, _ in ear.samples}
    assert {name: value for name, (value, quality) in found.items() if not quality} == {
        "old": 5.0, "kept": 6.0, "third": 3.0, "raw": 513.0, "word": 1.0,
    }  # fmt: skip
    assert {name: quality for name, (value, quality) in found.items() if math.isnan(value)} == {
        "null": Quality.BAD_NOT_A_NUMBER, "bad": Quality.BAD_REFUSED, "left": Quality.BAD_REFUSED,
        "none": Quality.BAD_REFUSED, "array": Quality.BAD_MALFORMED, "udt": Quality.BAD_MALFORMED,
    }  # fmt: skip
    (old,) = [sample for sample in ear.samples if names[sample[0]] == "old"]
    assert old[3] == NOON - 5_000_000, "what is of the past stays there"


def test_mutated_messages_never_invent_a_value():
    """10,000 of them: no value but those that stand in a message, and in its place there.

    Protobuf has no checksum: bytes that became another number on the way are not found out, here
    or by anybody; they are told as that number.
    """
    adapter: Any = device(new_site(), 1, {"level": {"metric": "Inputs/Level"}})
    line, rng = adapter._line, random.Random(7)
    heard: list[Any] = []
    line._listeners[0].put = lambda told: heard.extend(adapter._rows(told.event))
    topics = [f"spBv1.0/plant/{kind}" for kind in (
        "NBIRTH/ps-1", "DBIRTH/ps-1/plc", "DDATA/ps-1/plc", "DDATA/ps-1/plc", "DDEATH/ps-1/plc",
    )]  # fmt: skip
    sent = [
        payload("NBIRTH", 0), payload("DBIRTH", 1, plc(1.5)),
        payload("DDATA", 2, one(2.5), types=False), payload("DDATA", 3, one(3.5), types=False),
        payload("DDEATH", 4),
    ]  # fmt: skip
    line.host.connected(line.now())
    seen: set[float] = set()
    told, bad = {1.5, 2.5, 3.5}, 0
    for _ in range(2_000):
        for topic, data in zip(topics, sent, strict=True):
            broken, how = bytearray(data), rng.randrange(4)
            if how == 0:
                del broken[rng.randrange(len(broken) + 1) :]
            elif how == 1:
                place = rng.randrange(len(broken))
                broken[place:place] = rng.randbytes(rng.randrange(1, 20))
            elif how == 2:
                broken[:] = rng.randbytes(rng.randrange(100))
            told |= numbers(bytes(broken)) if how == 1 else set()
            message = SimpleNamespace(topic=topic, payload=bytes(broken), retain=False)
            line.arrived(message)
            line.host.tick(line.now())
            line.host.outgoing.clear()
            good = {row[2] for row in heard if row[3] < 0x80}
            assert all(math.isfinite(value) for value in good)
            assert good <= told
            assert all(math.isnan(row[2]) for row in heard if row[3] >= 0x80)
            bad += sum(row[3] >= 0x80 for row in heard)
            seen |= good
            heard.clear()
    assert {1.5, 2.5, 3.5} <= seen, "what was whole was read"
    assert bad > 1000


def numbers(data):
    """Return the numbers that stand in a message, though they may be none that was meant."""
    try:
        found = parse(data).metrics
    except DeviceMalformed:
        return set()
    kinds = {"double_value", "float_value"}
    return {one.seen[1] for one in found if one.seen is not None and one.seen[0] in kinds}


# ---- commands, probes, scans


async def test_commands_are_published(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        adapter = device(new_site(), port, POINTS)
        with pytest.raises(DeviceSilent, match="is not connected"):
            await adapter.write(PUMP, 1.0)
        async with hearing(adapter, confirms=False) as (ear,):
            await ear.until(lambda ear: ear.samples)
            await adapter.write(PUMP, 1.0)
            await until(lambda: ps.commands, "the command")
            with pytest.raises(DeviceRefused, match=r"a Boolean is 0 or 1, not 0\.5"):
                await adapter.write(PUMP, 0.5)
            with pytest.raises(DeviceRefused, match="a String cannot be commanded"):
                await adapter.write(MODE, 1.0)
            await ps.die()
            await ear.until(lambda ear: ear.qualities()[-1] == Quality.BAD_SILENT)
            with pytest.raises(DeviceSilent, match="has said that it is gone"):
                await adapter.write(PUMP, 1.0)
    ((to, told),) = ps.commands
    assert to == "plc"
    (set_,) = pb.Payload.FromString(told).metrics
    assert (set_.alias, set_.boolean_value, set_.HasField("name")) == (11, True, False)


async def test_conformance(tmp_path):
    async with mosquitto(tmp_path) as port, node(port) as ps:
        ps.devices["plc"] = plc()
        report = await check_adapter(
            lambda: device(new_site(), port, POINTS), bound("ps", {"a": {"topic": "t"}}) * 3
        )
        batch = report.batch
        assert len(batch)
        adapter = device(new_site(), port, POINTS)
        for capability in (Listens, Writes, Probes, Scans):
            assert isinstance(adapter, capability)


# ---- configuration

GUIDE = Path(__file__).resolve().parents[3] / "docs/guides/sparkplug.md"


def test_the_guides_example_is_right(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\nstate = "state"\n{example}', encoding="utf-8")
    config = load(path)
    assert [one.point.name for one in config.points] == ["level", "pump", "phase-2", "node-pump"]


def test_devices_of_one_host_must_agree():
    site = new_site()
    device(site, 1, POINTS)
    with pytest.raises(ConfigError, match='host application "gw", but differ in their settings'):
        device(site, 1, POINTS, name="other", device_id="x", reorder_s=5)


def test_a_point_that_does_not_fit_is_named():
    with pytest.raises(ConfigError, match="point g/ps/p: words make numbers of texts"):
        device(new_site(), 1, {"p": {"metric": "m", "kind": "text", "words": {"a": 1}}})


def test_messages_are_decoded_without_a_broker():
    site = new_site()
    given = {"host": "b", "host_id": "gw", "group_id": "plant", "edge_node_id": "ps-1"}
    settings = msgspec.convert(given | {"device_id": "plc"}, SparkplugDevice)
    said = [
        ("NBIRTH/ps-1", payload("NBIRTH", 0)), ("DBIRTH/ps-1/plc", payload("DBIRTH", 1, plc())),
        ("DDATA/ps-1/plc", payload("DDATA", 2, one(2.5), types=False)),
    ]  # fmt: skip
    exchanges = [Exchange(f"spBv1.0/plant/{kind}".encode(), data) for kind, data in said]
    found = SPARKPLUG.decode(settings, bound("ps", POINTS, SparkplugPoint), exchanges, site)
    assert [(one.point, one.value, one.quality, one.note) for one in found] == [
        (0, 2.5, 0, ""), (1, 0.0, 0, ""), (2, 1.0, 0, "auto"),
    ]  # fmt: skip
    assert isinstance(SPARKPLUG, Decodes)
