"""Both ends of a session with a perfect wire between them, moved by hand."""

from __future__ import annotations

from typing import Any

from citytwin import Batch, Command, Outcome, OutcomeState, Readback
from citytwin_protos.session import GatewaySession, HubSession, Limits
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.samples import NOW_NS, SECOND_NS

OUTBOX = b"0123456789abcdef"
COMMAND = Command(
    id="0" * 32,
    point="g/d/p",
    value=1.0,
    issued_by="aigul",
    issued_ns=NOW_NS,
    expires_ns=NOW_NS + 60 * SECOND_NS,
    readback=Readback("g/d/p", 1.0, 0.1, 5),
)
OUTCOME = Outcome(command="0" * 32, state=OutcomeState.EXECUTED, at_ns=NOW_NS)


def samples(number: int) -> Batch:
    """Return a batch that can be told from that of any other number."""
    return Batch.of([0, 1], NOW_NS + number, [number / 10, number])


def up(**kind: Any) -> bytes:
    """Return a frame of the gateway's."""
    return pb.Up(**kind).SerializeToString()


def down(**kind: Any) -> bytes:
    """Return a frame of the hub's."""
    return pb.Down(**kind).SerializeToString()


def heard(end: GatewaySession | HubSession, frame: bytes) -> Any:
    """Let one end take a frame; return what it says."""
    return end.receive(frame, 0, NOW_NS)


class Pair:
    """A gateway and a hub; time stands still unless the test moves it."""

    def __init__(self, gateway: Limits | None = None, hub: Limits | None = None) -> None:
        self.now_ns = 0
        self.gateway_time_ns = self.hub_time_ns = NOW_NS
        self.gateway, self.hub = GatewaySession(gateway), HubSession(hub)
        self.gateway.start(0, software="test 1", outbox=OUTBOX, announce_digest=b"d")
        self.hub.start(0)

    def up(self) -> list[Any]:
        """Carry everything to the hub; return what it says."""
        events: list[Any] = []
        for frame in self.gateway.outgoing():
            events += self.hub.receive(frame, self.now_ns, self.hub_time_ns)
        return events

    def down(self) -> list[Any]:
        """Carry everything to the gateway; return what it says."""
        events: list[Any] = []
        for frame in self.hub.outgoing():
            events += self.gateway.receive(frame, self.now_ns, self.gateway_time_ns)
        return events

    def greet(self, durable: int = 0, *, announce_wanted: bool = False) -> list[Any]:
        """Say Hello and Welcome; return what the gateway says to the latter."""
        self.up()
        self.hub.welcome(
            durable_through=durable, announce_wanted=announce_wanted, time_ns=self.hub_time_ns
        )
        events = self.down()
        self.up()  # the first beats, which compare the clocks
        self.down()
        return events

    def pass_time(self, seconds: float) -> None:
        """Let both clocks run."""
        elapsed_ns = round(seconds * SECOND_NS)
        self.now_ns += elapsed_ns
        self.gateway_time_ns += elapsed_ns
        self.hub_time_ns += elapsed_ns
