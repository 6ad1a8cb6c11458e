"""Fit command: what `citytwin-hub fit` makes of the hub's own history of a gateway's points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from citytwin import plant_options
from citytwin.errors import CityTwinError
from citytwin.point import Kind, Source
from citytwin.quality import Quality
from citytwin_hub import tables

if TYPE_CHECKING:
    from citytwin.plant_table import Samples
    from citytwin_hub.client import HubClient

WORDS: Final = (
    "fit a plant's model out of a clean time, as a [[kernel]] for the gateway's configuration"
)
KINDS: Final = frozenset({Kind.ANALOG, Kind.STATE})
"""A counter only grows, a text is no quantity, and an alarm speaks with its changes only."""
JUDGEMENTS: Final = ("*.plant*", "*.leak*", "*.anomaly*")
"""What kernels say of the plant is not the plant."""
MS_NS: Final = 1_000_000


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("gateway")
    command.add_argument("--start", required=True, help="2026-11-21T00:00:00+05:00")
    command.add_argument("--end", required=True, help="likewise; not included")
    plant_options.add_to(command)


def answer(options: Any, client: HubClient) -> tuple[dict[str, Any], str]:
    """Return what was fitted, for scripts, and its ``[[kernel]]`` table.

    Raises:
        CityTwinError: it cannot be; the text says what is needed.
    """
    from citytwin.plant_table import fitted, kernel_table, told

    plant_options.check(options)
    start_ms, end_ms = tables.moment_ms(options.start), tables.moment_ms(options.end)
    if start_ms >= end_ms:
        raise CityTwinError(f"--end {options.end} is not after --start {options.start}")
    samples = _samples(options, client, start_ms, end_ms)
    about = told(fitted(samples, options.step), options.name)
    source = f"{options.gateway}, {options.start} to {options.end}"
    return about, kernel_table(about, source)


def _samples(options: Any, client: HubClient, start_ms: int, end_ms: int) -> dict[str, Samples]:
    """Return the good samples of what the gateway measures and derives."""
    from citytwin.plant_table import History
    from citytwin_hub import exports

    names = {
        point["row"]: point["id"]
        for point in client.points(options.gateway)
        if point["kind"] in KINDS and point["source"] != Source.HEALTH and not point["gone"]
    }
    if not names:
        raise CityTwinError(
            f"gateway {options.gateway!r} has no points; see: citytwin-hub gateways"
        )
    history = History(f"gateway {options.gateway}", [*options.without, *JUDGEMENTS])
    for parts in exports.samples(client, list(names), start_ms, end_ms):
        for part in parts:
            good = [
                (time_ms * MS_NS, value)
                for time_ms, value, quality in zip(
                    part["time_ms"], part["value"], part["quality"], strict=True
                )
                if quality == Quality.GOOD and value is not None
            ]
            if good:
                times, values = zip(*good, strict=True)
                history.add(names[part["row"]], times, values)
    return history.points()
