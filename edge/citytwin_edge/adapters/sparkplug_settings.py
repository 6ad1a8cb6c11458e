"""Sparkplug settings: what a technician writes about a broker, a node or its device, and points."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind, Point
from citytwin_edge.adapters.mqtt_broker import Broker, Connection
from citytwin_edge.adapters.places import Decimal, Separator, ValueSettings
from citytwin_edge.wire.fields import Field, Order
from citytwin_edge.wire.registers import Single
from citytwin_edge.wire.sparkplug_host import Key
from citytwin_edge.wire.sparkplug_payload import DataType, Metric, value
from citytwin_edge.wire.texts import Numeral, TextField

_IN_TOPICS: Final = ("host_id", "group_id", "edge_node_id", "device_id")
Identity = Annotated[str, msgspec.Meta(max_length=128)]


class SparkplugDevice(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edge node, or a device of one; the broker's settings are those of MQTT.

    Attributes:
        host_id: under which the gateway says to all nodes that it, a host application, is there.
        group_id: the group, as in its topics.
        edge_node_id: the edge node, as in its topics.
        device_id: the node's device, as in its topics; empty: the node itself.
        reorder_s: how long a message may come late before its node is asked for its birth.
        rebirth: whether nodes may be asked for their birth.
        separator: between the columns of a text.
        decimal: decimal point or comma of a text.
        order: byte order of numbers in bytes.
    """

    host_id: Identity
    group_id: Identity
    edge_node_id: Identity
    device_id: Identity = ""
    reorder_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 2.0
    rebirth: bool = True
    separator: Separator = ","
    decimal: Decimal = "."
    order: Order = "ABCD"

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        super().__post_init__()
        for name in _IN_TOPICS:
            given = getattr(self, name)
            if not given and name != "device_id":
                raise ValueError(f"{name} must not be empty")
            if any(letter in given for letter in "+#/\0"):
                raise ValueError(f"{name} is one level of a topic: it has no +, # and /")

    @property
    def key(self) -> Key:
        """Group and edge node."""
        return (self.group_id, self.edge_node_id)

    def agreed(self) -> tuple[Connection, float, bool]:
        """Return what the devices of one host application must agree about."""
        return self.connection(), self.reorder_s, self.rebirth

    def __str__(self) -> str:
        device = f"device {self.device_id} of " if self.device_id else ""
        return f"{device}node {self.edge_node_id} in group {self.group_id}"


class SparkplugPoint(ValueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A metric, and what of it is the point.

    Attributes:
        metric: its name, as the birth has it.
        element: which one of an array, from 0.
        transient: whether it is taken though its node asks that it be not kept.
    """

    metric: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    element: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    transient: bool = False


class SparkplugField:
    """Where the value of one point is; compiled once."""

    def __init__(self, point: Point, address: SparkplugPoint, device: SparkplugDevice) -> None:
        """Compile.

        Raises:
            ValueError: it cannot be there.
        """
        address.check(point.kind)
        self.address = address
        self._is_text = point.kind == Kind.TEXT
        self._place: TextField = address.in_text(device.separator)
        self._numeral: Numeral = address.numeral(point, device.decimal)
        field: Field | None = None if address.at is None else address.in_bytes(device.order)
        self._single = None if field is None else Single(field)

    def decode(self, kind: DataType, metric: Metric) -> float | str:
        """Return the value; NaN for none.

        Raises:
            DeviceMalformed: it is not what the point's settings say.
        """
        seen = value(metric, kind, self.address.element)
        if isinstance(seen, bytes):
            if self._single is None:
                raise DeviceMalformed(
                    "the metric is bytes: at and type must say where the value is"
                )
            number, _, text = self._single.decode(self._single.cut(seen))
            return text if self._single.field.type == "string" else number
        if self._single is not None:
            raise DeviceMalformed(f"the metric is {kind}, so there are no bytes to look at")
        if not isinstance(seen, str):
            if seen != seen or not self._is_text:  # noqa: PLR0124  # NaN
                return self._numeral.judged(seen)
            seen = f"{seen:.15g}"
        text = self._place.find(seen)
        if self._is_text:
            return float("nan") if self._numeral.is_void(text) else text
        return self._numeral.value(text)
