"""The host application without a broker: its STATE, its requests for births, its commands."""

import json

import pytest

from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin_edge.wire.sparkplug_host import (
    ASK_NS_MAX,
    ASK_NS_MIN,
    CALM_NS,
    NODES_MAX,
    SPACING_NS,
    Host,
    split,
)
from citytwin_edge.wire.sparkplug_node import Now
from citytwin_edge.wire.sparkplug_payload import parse, value
from tests.edge.sparkplug_nodes import NOON, NOON_MS, REBIRTH, bd_seq_metric, death, metric, payload

SECOND = 10**9
KEY = ("plant", "n1")


class Application:
    """A host, its clock, and what it has published so far."""

    def __init__(self, wanted=(KEY,), **how):
        self.host = Host("gw", {key: {""} for key in wanted}, reorder_ns=2 * SECOND, **how)
        self.at_ns, self.said = 0, []
        self.host.will(self.now)
        self.host.connected(self.now)

    @property
    def now(self):
        return Now(NOON + self.at_ns, self.at_ns)

    def published(self):
        new, self.host.outgoing[:] = list(self.host.outgoing), []
        self.said += new
        return new

    def later(self, seconds):
        self.at_ns += round(seconds * SECOND)
        self.host.tick(self.now)
        return self.published()

    def take(self, kind, data, key=KEY, device="", **how):
        topic = "/".join(["spBv1.0", key[0], kind, key[1], *([device] if device else [])])
        events = self.host.take(topic, data, self.now, **how)
        return [(found, event.device, event.quality.reason) for found, event in events]

    def nbirth(self, key=KEY, bd_seq=0):
        own = [metric("A", "INT32", 1, alias=1), metric("S", "STRING", "x"), bd_seq_metric(bd_seq)]
        return self.take("NBIRTH", payload("NBIRTH", 0, own), key)


def says(publication):
    return json.loads(publication.payload)


# ---- its own state


def test_state_is_said_with_the_time_of_the_will():
    application = Application()
    application.at_ns = 90 * SECOND
    birth = application.host.birth()
    assert (birth.topic, birth.qos, birth.retain) == ("spBv1.0/STATE/gw", 1, True)
    assert says(birth) == {"online": True, "timestamp": NOON_MS}
    farewell = application.host.farewell(application.now)
    assert (farewell.topic, farewell.qos, farewell.retain) == ("spBv1.0/STATE/gw", 1, True)
    assert says(farewell) == {"online": False, "timestamp": NOON_MS + 90_000}
    again = application.host.will(application.now)
    assert says(again) == {"online": False, "timestamp": NOON_MS + 90_000}
    assert says(application.host.birth())["timestamp"] == NOON_MS + 90_000


def test_a_state_that_says_it_is_gone_is_contradicted_but_not_in_a_loop():
    application = Application()
    gone = json.dumps({"online": False, "timestamp": 1}).encode()

    def told(payload=gone):
        application.host.take("spBv1.0/STATE/gw", payload, application.now, is_retained=True)
        return application.published()

    assert [says(one) for one in told()] == [{"online": True, "timestamp": NOON_MS}]
    assert told() == [], "a double of it answers as quickly"
    application.at_ns += SECOND
    assert len(told()) == 1
    application.at_ns += SECOND
    for other in (b"OFFLINE", b"[" * 9999, b'{"online": true}', b"[]", b"\xff"):
        assert told(other) == []
    application.host.take("spBv1.0/STATE/other", gone, application.now)
    assert application.published() == []


# ---- births asked for


def test_a_node_that_does_not_bear_is_asked_ever_more_rarely():
    application = Application()
    assert application.later(1.9) == []
    (asked,) = application.later(0.1)
    assert (asked.topic, asked.qos, asked.retain) == ("spBv1.0/plant/NCMD/n1", 0, False)
    message = parse(asked.payload)
    (one,) = message.metrics
    assert message.time_ns == NOON + 2 * SECOND
    assert (one.name, one.seen) == (REBIRTH, ("boolean_value", True))
    times = []
    while len(times) < 8:
        if application.later(1):
            times.append(application.at_ns // SECOND)
    pauses = [after - before for before, after in zip([2, *times], times, strict=False)]
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    assert (ASK_NS_MIN, ASK_NS_MAX) == (10 * SECOND, 300 * SECOND)
    application.nbirth()
    assert application.later(3600) == []


def test_a_node_that_bears_by_itself_is_not_asked():
    application = Application()
    assert application.nbirth() == [(KEY, "", "good")]
    assert application.later(3600) == []
    assert application.host.due_ns is None


def test_a_node_that_gives_reason_again_and_again_is_asked_at_most_so_often():
    application = Application()
    application.later(2)
    asked = 0
    for _ in range(600):  # every second: born, and then something that no birth has
        application.nbirth()
        strange = [metric(None, "INT32", 1, alias=77)]
        application.take("NDATA", payload("NDATA", 1, strange, types=False))
        asked += len(application.later(1))
    assert 4 <= asked <= 7
    application.nbirth()
    application.later(CALM_NS / SECOND)
    application.take("NDATA", payload("NDATA", 1, [metric(None, "INT32", 1, alias=77)]))
    assert len(application.published()) == 1, "it was well for long: asked at once"


def test_many_nodes_are_not_asked_in_one_moment():
    keys = [("plant", f"n{number}") for number in range(100)]
    application = Application(keys)
    application.at_ns = 2 * SECOND
    application.host.tick(application.now)
    assert len(application.published()) == 1
    while len(application.said) < 100:
        due_ns = application.host.due_ns
        assert due_ns is not None
        application.later((due_ns - application.at_ns) / SECOND)
        assert application.at_ns <= 2 * SECOND + 100 * SPACING_NS
    assert {one.topic for one in application.said} == {f"spBv1.0/plant/NCMD/{n}" for _, n in keys}


def test_who_may_not_ask_does_not():
    application = Application(may_ask=False)
    application.take("NDATA", payload("NDATA", 5))
    assert application.later(10) == application.later(1000) == []
    assert application.host.due_ns is None


def test_after_a_lost_broker_nothing_is_known():
    application = Application()
    application.nbirth()
    application.host.connected(application.now)
    assert application.take("NDATA", payload("NDATA", 1, [metric("A", "INT32", 5)])) == []
    assert len(application.later(2)) == 1


def test_somebody_new_wants_to_know():
    application = Application()
    application.host.ask_soon(KEY, application.now)
    assert application.published() == [], "it will be asked anyway"
    application.nbirth()
    application.host.ask_soon(KEY, application.now)
    application.host.ask_soon(("no", "one"), application.now)
    assert len(application.later(2)) == 1


def test_one_more_device_is_wanted():
    application = Application()
    application.nbirth()
    application.host.want(("plant", "n2"), "d", application.now)
    application.host.want(KEY, "d", application.now)
    (asked,) = application.later(2)
    assert asked.topic == "spBv1.0/plant/NCMD/n2"
    assert application.host.nodes[KEY].is_alive
    application.host.unwant(KEY, "d")
    assert application.host.nodes[KEY].wanted == {""}
    application.host.unwant(("plant", "n2"), "d")
    application.host.unwant(("plant", "n3"), "d")
    assert list(application.host.nodes) == [KEY]
    assert application.later(60) == []


# ---- what counts


def test_retained_births_are_of_yesterday():
    application = Application()
    own = payload("NBIRTH", 0, [metric("A", "INT32", 1)])
    assert application.take("NBIRTH", own, is_retained=True) == []
    assert application.take("NBIRTH", own) == [(KEY, "", "good")]
    assert application.take("NDEATH", death(0), is_retained=True) == []


def test_strange_nodes_are_left_out_or_looked_at_up_to_a_number():
    application = Application()
    assert application.nbirth(("plant", "n2")) == []
    assert application.host.left_out == 1
    curious = Application((), is_curious=True)
    for number in range(NODES_MAX + 5):
        curious.nbirth(("plant", f"n{number}"))
    assert len(curious.host.nodes) == NODES_MAX
    assert curious.host.left_out == 5


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("spBv1.0/g/NBIRTH/n", (("g", "n"), "NBIRTH", "")),
        ("spBv1.0/g/DDATA/n/d", (("g", "n"), "DDATA", "d")),
        ("spBv1.0/g/DDATA/n", None), ("spBv1.0/g/NDATA/n/d", None), ("spAv1.0/g/NDATA/n", None),
        ("spBv1.0/g/NCMD/n", None), ("spBv1.0/g/DDATA/n/d/e", None), ("spBv1.0//NDATA/n", None),
        ("spBv1.0/STATE/h", None), ("", None),
    ],
)  # fmt: skip
def test_topics(topic, found):
    assert split(topic) == found


# ---- commands


def test_commands_of_a_node_and_of_its_device():
    application = Application()
    application.nbirth()
    application.take("DBIRTH", payload("DBIRTH", 1, [metric("B", "BOOLEAN", True)]), device="d")
    host, now = application.host, application.now
    own = host.command(KEY, "", "A", 7.0, now)
    assert (own.topic, own.qos, own.retain) == ("spBv1.0/plant/NCMD/n1", 0, False)
    (one,) = parse(own.payload).metrics
    assert (one.name, one.alias, one.seen) == ("", 1, ("int_value", 7))
    device = host.command(KEY, "d", "B", 0.0, now)
    assert device.topic == "spBv1.0/plant/DCMD/n1/d"
    (one,) = parse(device.payload).metrics
    assert (one.name, value(one, host.nodes[KEY].births["d"]["B"].type)) == ("B", 0.0)
    for device, name, number, says_ in (
        ("d", "C", 1.0, "d has no metric 'C'"), ("", "A", 1e12, "outside -2147483648"),
        ("", "S", 1.0, "a String cannot be commanded"),
    ):  # fmt: skip
        with pytest.raises(DeviceRefused, match=says_):
            host.command(KEY, device, name, number, now)
    with pytest.raises(DeviceSilent, match="e cannot be commanded: it was not born with its node"):
        host.command(KEY, "e", "A", 1.0, now)
    application.take("NDEATH", death(0))
    with pytest.raises(DeviceSilent, match="n1 cannot be commanded: the node has said that it is"):
        host.command(KEY, "", "A", 1.0, now)


def test_what_an_alias_of_two_means_is_not_commanded():
    application = Application()
    twins = [metric(name, "INT32", 1, alias=1) for name in "XY"]
    application.take("NBIRTH", payload("NBIRTH", 0, twins))
    with pytest.raises(DeviceRefused, match="gives 'X' the alias of another metric, too"):
        application.host.command(KEY, "", "X", 1.0, application.now)
