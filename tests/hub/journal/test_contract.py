"""Records: what they hold comes back, and what is not one is refused as such."""

import pytest

from citytwin import Batch, Outcome, OutcomeState
from citytwin.errors import WireError
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_protos.codec import outcome_to_bytes, pack

NOW = 1_767_225_600 * 10**9


def record(kind, body):
    return Record(kind, b"s" * 16, 1, NOW, "medeu-1", body)


def test_samples_come_back():
    batch = Batch.of([3, 70_000], NOW, [1.25, float("nan")], [0, 0x81])
    assert record(RecordKind.TELEMETRY, pack(batch)).batch() == batch
    assert record(RecordKind.ALARM, pack(Batch.empty())).batch() == Batch.empty()


def test_outcomes_come_back():
    outcome = Outcome(command="a" * 32, state=OutcomeState.REFUSED, at_ns=NOW, reason="сорғы өшік")
    assert record(RecordKind.OUTCOME, outcome_to_bytes(outcome)).outcome() == outcome


@pytest.mark.parametrize("body", [b"", b"junk", pack(Batch.of([1], NOW, [1.0]))[:-1]])
def test_what_cannot_be_read_is_a_wire_error(body):
    with pytest.raises(WireError):
        record(RecordKind.TELEMETRY, body).batch()
    with pytest.raises(WireError):
        record(RecordKind.OUTCOME, body).outcome()


def test_kinds_are_for_ever():
    """They are on disk: a number that changed would make old journals lie."""
    assert [(kind.name, int(kind)) for kind in RecordKind] == [
        ("HEADS", 0), ("TELEMETRY", 1), ("ALARM", 2), ("OUTCOME", 3),
    ]  # fmt: skip
