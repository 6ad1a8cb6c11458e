"""One node's session: births, deaths, order, aliases; without a broker and without a clock."""

import pytest

from citytwin_edge.wire import sparkplug_b_pb2 as pb
from citytwin_edge.wire.sparkplug_node import BIRTHS_NS_MAX, HELD_MAX, Node, Now
from citytwin_edge.wire.sparkplug_payload import value
from tests.edge.sparkplug_nodes import NOON, NOON_MS, bd_seq_metric, death, metric, payload

SECOND = 10**9
REORDER = 2 * SECOND


class Session:
    """A node, and what was said of it so far."""

    def __init__(self, wanted=(), reorder_ns=REORDER):
        self.node, self.at_ns, self.events = Node(reorder_ns, wanted), 0, []

    @property
    def now(self):
        return Now(NOON + self.at_ns, self.at_ns)

    def take(self, kind, device, data):
        new = list(self.node.take(kind, device, data, self.now))
        self.events += new
        return [short(one) for one in new]

    def nbirth(self, bd_seq: int | None = 0, seq=0, metrics=(), **how):
        own = [metric("A", "INT32", 1, alias=1), *metrics]
        if bd_seq is not None:
            own.append(bd_seq_metric(bd_seq))
        return self.take("NBIRTH", "", payload("NBIRTH", seq, own, **how))

    def dbirth(self, seq, device="d", metrics=None, **how):
        metrics = [metric("B", "DOUBLE", 2.0, alias=2)] if metrics is None else metrics
        return self.take("DBIRTH", device, payload("DBIRTH", seq, metrics, **how))

    def ddata(self, seq, number, *, name=None, alias: int | None = 2, device="d", **how):
        one = metric(name, "DOUBLE", float(number), alias=alias)
        return self.take("DDATA", device, payload("DDATA", seq, [one], types=False, **how))

    def later(self, seconds):
        self.at_ns += round(seconds * SECOND)
        new = list(self.node.tick(self.now))
        self.events += new
        return [short(one) for one in new]


def short(event):
    """Return what an event says, in short: whose, quality, and values by name."""
    numbers = {seen.name: value(seen.metric, seen.type) for seen in event.metrics}
    numbers.pop("bdSeq", None)
    return event.device, event.quality.reason, numbers


def alive():
    session = Session()
    assert session.nbirth() == [("", "good", {"A": 1.0})]
    assert session.dbirth(1) == [("d", "good", {"B": 2.0})]
    return session


def test_births_then_data_by_alias_or_name():
    session = alive()
    assert session.ddata(2, 5) == [("d", "good", {"B": 5.0})]
    assert session.ddata(3, 6, name="B", alias=None) == [("d", "good", {"B": 6.0})]
    assert session.events[-1].metrics[0].time_ns == NOON
    assert not session.node.needs_birth
    assert session.node.due_ns is None


def test_nothing_counts_before_the_birth_and_the_birth_may_come_late():
    session = Session()
    assert session.ddata(1, 99) == [], "of the session before"
    assert session.dbirth(1, at_ms=NOON_MS + 1) == []
    assert session.ddata(2, 5, at_ms=NOON_MS + 1) == []
    assert session.nbirth() == [
        ("", "good", {"A": 1.0}), ("d", "good", {"B": 2.0}), ("d", "good", {"B": 5.0}),
    ]  # fmt: skip
    assert session.node.due_ns is None


def test_without_a_birth_it_is_asked_for_after_the_reorder_timeout():
    session = Session()
    session.ddata(7, 5)
    assert not session.node.is_to_be_asked
    assert session.node.due_ns == REORDER
    assert session.later(2) == [], "nothing was known, so nothing has become stale"
    assert session.node.is_to_be_asked
    assert "its birth was not seen" in session.node.trouble


def test_order_is_restored_within_the_reorder_timeout():
    session = alive()
    assert session.ddata(3, 30) == []
    assert session.ddata(4, 40) == []
    assert session.node.due_ns == REORDER
    assert [event[2]["B"] for event in session.ddata(2, 20)] == [20, 30, 40]
    assert session.node.due_ns is None
    assert session.later(3) == []
    assert not session.node.needs_birth


def test_a_message_that_never_comes_makes_all_stale_until_the_birth():
    session = alive()
    session.ddata(3, 30)
    assert session.later(2) == [(None, "stale", {})]
    assert session.node.is_to_be_asked
    assert session.node.trouble == "message 2 of the node is missing"
    assert session.ddata(4, 40) == []
    # What followed the gap in the old session says nothing in the new one.
    assert session.nbirth(at_ms=NOON_MS + 1) == [("", "good", {"A": 1.0})]
    assert session.dbirth(1) == [("d", "good", {"B": 2.0})]
    assert session.ddata(2, 20) == [("d", "good", {"B": 20.0})]
    assert session.ddata(3, 31) == [("d", "good", {"B": 31.0})]
    assert session.ddata(4, 41) == [("d", "good", {"B": 41.0})]


def test_without_a_reorder_timeout_nothing_is_waited_for():
    session = Session(reorder_ns=0)
    session.nbirth()
    assert session.dbirth(2) == [(None, "stale", {})]
    assert session.node.is_to_be_asked


def test_numbers_go_round():
    session = alive()
    for number in range(2, 2 + 600):
        assert session.ddata(number % 256, number) == [("d", "good", {"B": float(number)})]
    assert not session.node.needs_birth


def test_what_comes_twice_counts_once():
    session = alive()
    session.ddata(2, 5)
    assert session.ddata(2, 5) == []
    assert session.node.due_ns is None
    assert session.ddata(3, 6) == [("d", "good", {"B": 6.0})]


def test_what_waits_is_bounded():
    session = alive()
    said = [session.ddata(3 + number, number) for number in range(HELD_MAX + 1)]
    assert said[-1] == [(None, "stale", {})]
    assert not any(said[:-1])


# ---- deaths


def test_a_death_is_of_the_birth_with_the_same_number_only():
    session = alive()
    session.nbirth(bd_seq=1)
    assert session.take("NDEATH", "", death(0)) == [], "the old will, delivered late"
    assert session.node.is_alive
    session.at_ns = 5 * SECOND
    assert session.take("NDEATH", "", death(1)) == [(None, "silent", {})]
    assert session.events[-1].time_ns == NOON + 5 * SECOND, "the host's own time"
    assert session.take("NDEATH", "", death(1)) == [], "said, and then once more by the broker"
    assert not session.node.is_to_be_asked, "it bears by itself when it is back"
    assert session.ddata(3, 1) == []
    session.later(3)
    assert session.node.is_to_be_asked, "it is there after all"


def test_a_death_without_a_number_is_a_death():
    session = alive()
    assert session.take("NDEATH", "", b"") == [(None, "silent", {})]


def test_a_node_without_numbers_dies_too():
    session = Session()
    session.nbirth(bd_seq=None)
    assert session.take("NDEATH", "", death(4)) == [(None, "silent", {})]


def test_a_device_dies_at_the_time_of_its_death():
    session = alive()
    dead = payload("DDEATH", 2, at_ms=NOON_MS - 1000)
    assert session.take("DDEATH", "d", dead) == [("d", "silent", {})]
    assert session.events[-1].time_ns == NOON - SECOND
    assert session.node.is_alive
    assert session.ddata(3, 5) == []
    assert session.node.is_to_be_asked
    assert "data without a birth" in session.node.trouble


def test_a_node_that_begins_anew_unheard_of_silences_its_devices():
    session = alive()
    assert session.nbirth(bd_seq=1) == [("d", "silent", {}), ("", "good", {"A": 1.0})]
    session.ddata(1, 5)
    assert session.node.needs_birth, "its device was not born again"
    assert session.dbirth(2) == [("d", "good", {"B": 2.0})]


def test_a_rebirth_changes_nothing_for_devices_that_are_born_again():
    session = alive()
    assert session.nbirth() == [("", "good", {"A": 1.0})]
    assert session.dbirth(1) == [("d", "good", {"B": 2.0})]
    assert session.later(60) == []


def test_a_device_that_is_not_born_again_is_silent_after_a_while():
    session = alive()
    session.nbirth()
    assert session.later(BIRTHS_NS_MAX / SECOND) == [("d", "silent", {})]
    assert session.events[-1].note == "its node was born without d"
    session.ddata(1, 5)
    assert session.node.needs_birth


def test_a_device_that_is_wanted_and_never_born_is_told():
    session = Session(wanted=["d", ""])
    session.nbirth()
    assert session.later(BIRTHS_NS_MAX / SECOND) == [("d", "silent", {})]


# ---- aliases and types


def test_a_restart_with_other_aliases():
    session = alive()
    session.take("NDEATH", "", death(0))
    session.nbirth(bd_seq=1, metrics=[metric("Z", "INT32", 3, alias=2)])
    born = [metric("C", "DOUBLE", 3.0, alias=8), metric("B", "DOUBLE", 4.0, alias=9)]
    assert session.dbirth(1, metrics=born) == [("d", "good", {"C": 3.0, "B": 4.0})]
    assert session.ddata(2, 7, alias=9) == [("d", "good", {"B": 7.0})]
    assert session.ddata(3, 8, alias=2) == [], "the alias of old, and now of the node itself"
    assert session.node.is_to_be_asked
    assert session.node.trouble == "alias 2 of d is in no birth"


def test_two_devices_with_the_same_alias_are_told_apart_by_their_topics():
    session = alive()
    session.dbirth(2, "e", [metric("E", "DOUBLE", 9.0, alias=2)])
    assert session.ddata(3, 5, device="d") == [("d", "good", {"B": 5.0})]
    assert session.ddata(4, 6, device="e") == [("e", "good", {"E": 6.0})]


def test_what_an_alias_of_two_metrics_means_nobody_knows():
    session = Session()
    session.nbirth()
    twins = [metric(name, "DOUBLE", 1.0, alias=5) for name in ("X", "Y")]
    born = session.dbirth(1, metrics=[*twins, metric("Z", "DOUBLE", 2.0, alias=6)])
    assert born == [("d", "good", {"Z": 2.0})]
    assert session.ddata(2, 5, alias=5) == []
    assert not session.node.needs_birth, "another birth would say the same"
    assert session.ddata(3, 6, alias=6) == [("d", "good", {"Z": 6.0})]


def test_a_metric_in_no_birth_is_asked_for_and_the_others_count():
    session = alive()
    both = [metric("New", "DOUBLE", 1.0), metric(None, "DOUBLE", 5.0, alias=2)]
    said = session.take("DDATA", "d", payload("DDATA", 2, both, types=False))
    assert said == [("d", "good", {"B": 5.0})]
    assert session.node.trouble == "'New' of d is in no birth"


def test_another_type_than_it_was_born_with_is_no_value():
    session = alive()
    one = [metric(None, "INT32", 5, alias=2)]
    assert session.take("DDATA", "d", payload("DDATA", 2, one, types=True)) == []
    assert session.node.trouble == "'B' was born as a Double, and came as an Int32"


def test_what_is_malformed_says_so_and_is_missed():
    session = alive()
    assert session.take("DDATA", "d", b"\xff") == [("d", "malformed", {})]
    assert session.node.needs_birth
    session.ddata(3, 6)
    assert session.later(2) == [(None, "stale", {})]


def test_too_many_metrics_are_refused():
    session = alive()
    many = pb.Payload(seq=2, metrics=[pb.Metric(name=str(n), datatype=3) for n in range(19_999)])
    assert session.take("DBIRTH", "e", many.SerializeToString()) == [("e", "refused", {})]
    assert session.ddata(3, 5) == [("d", "good", {"B": 5.0})]


@pytest.mark.parametrize("count", [1, 300])
def test_times_of_metrics_of_messages_and_of_arrival(count):
    session = alive()
    made = [pb.Metric(alias=2, double_value=1.0)] * count
    data = pb.Payload(seq=2, timestamp=NOON_MS + 7, metrics=made)
    session.take("DDATA", "d", data.SerializeToString())
    assert {seen.time_ns for seen in session.events[-1].metrics} == {NOON + 7_000_000}
    session.at_ns = 9
    session.take("DDATA", "d", pb.Payload(seq=3, metrics=made).SerializeToString())
    assert {seen.time_ns for seen in session.events[-1].metrics} == {NOON + 9}
