"""Assembly: what a configuration comes to on this gateway: numbered points, kernels, pollers.

One assembly follows another while the agent runs. The next one takes over every poller whose
device is wired as before, with its connection, and the state of every kernel for the points whose
numbers still mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from citytwin.adapter import Adapter, Parts, Site, Tapped
from citytwin.batch import Batch, Int32
from citytwin_edge import health
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.gateway import Device, GatewayConfig
from citytwin_edge.kernels import build
from citytwin_edge.numbering import Numbering
from citytwin_edge.pipeline import Parcel, Pipeline
from citytwin_edge.poller import Poller
from citytwin_edge.standing import Standing


@dataclass(frozen=True, slots=True)
class _NotingSite(Site):
    """A site that notes which shared lines a device asks for."""

    used: set[Hashable] = field(default_factory=set)

    def line(self, key: Hashable, make: Callable[[], Any]) -> Any:
        self.used.add(key)
        return Site.line(self, key, make)


class Workshop:
    """What every assembly of one agent is built with.

    Attributes:
        taps: who looks at the devices' lines; the same for those that are built later.
    """

    def __init__(
        self, numbering: Numbering, trust: ClockTrust, take: Callable[[Batch], None]
    ) -> None:
        """Number by ``numbering``, stamp by ``trust``, give samples to ``take``."""
        self.numbering, self.trust, self.take = numbering, trust, take
        self.taps: list[Callable[[Tapped], None]] = []


class Assembly:
    """What one configuration comes to; see the module.

    Attributes:
        config: the configuration.
        pollers: by the names of their devices.
        fresh: those that did not run before.
        numbers: of every point by id.
        own: int32, shape (n,): the number of every point, in no order.
        pipeline, health: of these points.
        commandable: every point that may be named in a command, by id.
    """

    def __init__(
        self, config: GatewayConfig, shop: Workshop, before: Assembly | None = None
    ) -> None:
        """Build what differs from the assembly before; touches no network.

        Raises:
            CityTwinError: something does not fit, or the disk refuses; what was before goes on.
        """
        self.config, self._shop = config, shop
        kept = {} if before is None else self._unchanged(before)
        self._uses: dict[str, frozenset[Hashable]] = {}
        self._shared: dict[Hashable, Any] = {}
        if before is not None:
            self._uses = {name: before._uses[name] for name in kept}
            # A line that only changed devices use is made anew: it may have changed, too.
            keys = {key for used in self._uses.values() for key in used}
            self._shared = {key: before._shared[key] for key in keys}
        adapters: dict[str, Adapter] = {}
        try:
            for device in config.devices:
                if device.name not in kept:
                    adapters[device.name] = self._adapter(device)
            self._number_points()
            self.pollers = {**kept, **self._new_pollers(adapters)}
        except BaseException:
            _abandon(adapters.values())
            raise
        self.fresh = {name: self.pollers[name] for name in adapters}
        if before is not None:
            self.health.go_on(before.health, kept)

    def _unchanged(self, before: Assembly) -> dict[str, Poller]:
        known = {device.name: device for device in before.config.devices}
        return {
            device.name: before.pollers[device.name]
            for device in self.config.devices
            if (old := known.get(device.name)) is not None
            and (old == device or old.wiring == device.wiring)
        }

    def _adapter(self, device: Device) -> Adapter:
        shop = self._shop
        site = _NotingSite(shop.trust, shop.numbering.intern, self._shared, shop.taps)
        adapter = device.build(site)
        self._uses[device.name] = frozenset(site.used)
        return adapter

    def _number_points(self) -> None:
        """Number the points and put the kernels between them."""
        config, numbering = self.config, self._shop.numbering
        kernels = build([(one.point, one.rules) for one in config.points], config.kernels)
        derived = [point for kernel in kernels.values() for point in kernel.outputs]
        givers = {point.id: key for key, kernel in kernels.items() for point in kernel.outputs}
        self._standing = Standing(config, givers)
        names = [device.name for device in config.devices]
        own = health.points(config.name, config.label, config.place, names)
        points = [*(one.point for one in config.points), *derived, *own]
        self.own = numbers = numbering.numbers(points)
        self.numbers = {point.id: int(n) for point, n in zip(points, numbers, strict=True)}
        self.health = health.Health(numbers[len(points) - len(own) :], self._shop.trust)
        self.pipeline = Pipeline(kernels, points, numbers, size=numbering.size)
        measured = {one.point.id: one.point for one in config.points}
        self.commandable = measured | self.pipeline.commandable

    def _new_pollers(self, adapters: Mapping[str, Adapter]) -> dict[str, Poller]:
        pollers = {}
        first = 0
        for device in self.config.devices:
            mine: Int32 = self.own[first : first + len(device.points)]
            first += len(device.points)
            if device.name in adapters:
                spec = device.spec(adapters[device.name], mine)
                pollers[device.name] = Poller(spec, self._shop.trust, self._shop.take)
        return pollers

    def succeed(self, before: Assembly) -> Parcel:
        """Take over the kernels' states, after the last tick of the assembly before.

        Returns:
            What its kernels still had to say of points that are no more what they were.
        """
        old, new = before._standing, self._standing
        whole = {key for key in new.kernels if key in old.kernels and old.of(key) == new.of(key)}
        return self.pipeline.succeed(before.pipeline, old.stays_in(new), whole)

    def described(self, before: Assembly) -> str:
        """Return what has changed since the assembly before, in words."""
        new = self.pollers.keys() - before.pollers.keys()
        gone = before.pollers.keys() - self.pollers.keys()
        counts = {
            "new": len(new),
            "built anew": len(self.fresh) - len(new),
            "removed": len(gone),
            "untouched": len(self.pollers) - len(self.fresh),
        }
        points = len(set(self.own.tolist()) - set(before.own.tolist()))
        ended = len(set(before.own.tolist()) - set(self.own.tolist()))
        devices = ", ".join(f"{count} {what}" for what, count in counts.items())
        return f"devices: {devices}; points: {points} new, {ended} gone"


def _abandon(adapters: Iterable[Adapter]) -> None:
    """Let adapters that were never opened take back what their construction did."""
    for adapter in adapters:
        if isinstance(adapter, Parts):
            adapter.part()
