"""Golden frames: bytes that went over the line and what they mean, the proof of a profile.

``<model>.frames.toml`` beside a profile has cases; each is decoded by the profile's adapter as it
would decode a device's answers, and compared (docs/specs/profile.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from citytwin.adapter import AdapterType, Binding, Decodes, Exchange, Probed, Site
from citytwin.clock import SystemClock
from citytwin.config import At, Document
from citytwin.errors import CityTwinError, ConfigError
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge import plugins
from citytwin_edge.catalogue.profile import Fields, Profile
from citytwin_edge.device_tables import Owner, built, settings_of
from citytwin_edge.gateway import Device, GatewayPoint

CASES_MAX: Final = 1000
WORKED_OUT: Final = "worked out"
"""So a source begins where nobody has seen the bytes: they are made from the profile's own sources,
and prove that it is read as it is written, not that a device speaks so."""
DIGITS: Final = 1e-6
"""Part of a value by which it may differ: what people write down has six digits or more."""


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exchange: hex digits as on the line, or texts where the line has texts."""

    request: str = ""
    request_text: str = ""
    response: str = ""
    response_text: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no exchange (ValueError)."""
        if (self.request and self.request_text) or (self.response and self.response_text):
            raise ValueError("a side of an exchange is hex digits or text, not both")
        if not (self.response or self.response_text):
            raise ValueError("an exchange has a response")
        self.exchange()

    def exchange(self) -> Exchange:
        """Return the bytes (ValueError)."""
        return Exchange(
            bytes.fromhex(self.request) or self.request_text.encode(),
            bytes.fromhex(self.response) or self.response_text.encode(),
        )


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[case]]``: exchanges and what they say.

    Attributes:
        source: where the bytes are from; it begins with "worked out" where nobody has seen them.
        settings: fields of the device that this case needs.
        exchange: in order.
        values: by point, in the point's unit; of a text the text.
        bad: points without a value, and why: the reason of their quality.
        display: what a person read off the device at that moment, for those who look later.
    """

    source: Annotated[str, msgspec.Meta(min_length=1)]
    settings: Fields = {}
    exchange: Annotated[tuple[Pair, ...], msgspec.Meta(min_length=1)]
    values: dict[str, float | str] = {}
    bad: dict[str, str] = {}
    display: dict[str, float | str] = {}

    @property
    def is_real(self) -> bool:
        """Whether a device, a manual or somebody else's test has these bytes."""
        return not self.source.startswith(WORKED_OUT)


class FramesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of golden frames."""

    case: Annotated[tuple[Case, ...], msgspec.Meta(min_length=1, max_length=CASES_MAX)]


class Reading(NamedTuple):
    """What a case says of a point."""

    point: GatewayPoint
    value: float | str
    quality: Quality


def device_like(
    profile: Profile, owner: Owner, settings: Mapping[str, Any] | None = None
) -> Device:
    """Return a device of a profile at an imagined place; touches no network.

    Args:
        profile: the profile.
        owner: the gateway.
        settings: fields that come before the profile's.

    Raises:
        ConfigError: the profile's settings or points do not suit its adapter.
    """
    document = Document(profile.path)
    at: At = ("device",)
    places: list[tuple[Fields, At]] = [
        (point.table({}), ("point", number)) for number, point in enumerate(profile.points)
    ]
    try:
        kind = plugins.adapter(profile.adapter)
    except ConfigError as error:
        raise document.error(str(error), ("adapter",)) from None
    examples = [profile.file.example] if profile.file.example else _examples(kind)
    for example in examples:
        table = profile.device_table({"name": "device", **example, **(settings or {})})
        try:
            settings_of(document, table, at, kind)
        except ConfigError:
            if example is not examples[-1]:
                continue
        return built(document, table, at, places, owner)
    raise AssertionError("there is an example at least")


def _examples(kind: AdapterType) -> Sequence[Fields]:
    """Return connections that are whole, as the adapter's documents show them."""
    found: Sequence[Fields] = getattr(kind, "examples", ())
    return found or ({},)


def cases(profile: Profile) -> tuple[Document, tuple[Case, ...]]:
    """Return a profile's golden frames.

    Raises:
        ConfigError: there are none, or the file is wrong.
    """
    if not profile.frames.is_file():
        raise ConfigError(
            f"{profile.path}: there are no golden frames beside it; {profile.frames.name} must "
            "show what goes over the line (citytwin-edge capture stores them)"
        )
    document = Document(profile.frames)
    return document, document.convert(FramesFile).case


def proof(profile: Profile) -> str:
    """Return in words whose bytes prove a profile.

    ``real``: a device's, a manual's or another test suite's have every point; ``partly real``: some
    points; ``worked out``: none; ``none``: there are no golden frames.

    Raises:
        ConfigError: the file is wrong.
    """
    if not profile.frames.is_file():
        return "none"
    _, every = cases(profile)
    seen = {name for case in every if case.is_real for name in (*case.values, *case.bad)}
    if not seen & {point.name for point in profile.points}:
        return WORKED_OUT
    return "real" if seen >= {point.name for point in profile.points} else "partly real"


def decoded(device: Device, exchanges: list[Exchange]) -> dict[str, Reading]:
    """Return what exchanges say of a device's points, by point, in the points' units.

    Raises:
        ConfigError: the adapter cannot decode without a device.
        DeviceError: a frame is none.
    """
    kind = device.kind
    if not isinstance(kind, Decodes):
        raise ConfigError(f'adapter "{device.adapter}" cannot decode frames without a device')
    texts: list[str] = [""]

    def intern(text: str) -> int:
        texts.append(text)
        return len(texts) - 1

    bindings = [Binding(one.point, one.address) for one in device.points]
    found = kind.decode(device.settings, bindings, exchanges, Site(SystemClock(), intern))
    return {
        device.points[one.point].point.name: _reading(device.points[one.point], one, texts)
        for one in found
    }


def _reading(point: GatewayPoint, one: Probed, texts: list[str]) -> Reading:
    quality = Quality(one.quality)
    if point.point.kind == Kind.TEXT:
        text = texts[int(one.value)] if math.isfinite(one.value) else ""
        return Reading(point, text, quality)
    return Reading(point, one.value * point.scale + point.offset, quality)


def check(profile: Profile, owner: Owner) -> Iterator[str]:
    """Yield what is wrong with a profile's golden frames, a sentence each.

    Raises:
        ConfigError: there are none, or the file is wrong.
    """
    document, every = cases(profile)
    seen: set[str] = set()
    for index, case in enumerate(every):
        at: At = ("case", index)
        device = device_like(profile, owner, case.settings)
        try:
            found = decoded(device, [pair.exchange() for pair in case.exchange])
        except CityTwinError as error:
            yield str(document.error(str(error), at))
            continue
        seen |= {name for name, one in found.items() if one.quality == Quality.GOOD}
        for problem in _compared(case, found):
            yield str(document.error(problem, at))
    missing = [point.name for point in profile.points if point.name not in seen]
    if missing:
        yield f"{profile.frames}: no case has a value of {', '.join(missing)}"


def _compared(case: Case, found: dict[str, Reading]) -> Iterator[str]:
    for name, wanted in case.values.items():
        one = found.get(name)
        if one is None:
            yield f'the frames say nothing of "{name}"; it should be {wanted}'
        elif one.quality != Quality.GOOD:
            yield f'"{name}" is {_words(one.quality)}; it should be {wanted}'
        elif not _same(one.value, wanted):
            yield f'"{name}" is {_shown(one.value)}; it should be {wanted}'
    for name, reason in case.bad.items():
        one = found.get(name)
        got = "nothing" if one is None else one.quality.reason
        if got != reason:
            yield f'"{name}" is {got}; it should be bad: {reason}'
    for name, one in found.items():
        if name not in case.values and name not in case.bad:
            yield f'the frames say "{name}" = {_shown(one.value)}, the case does not; add it'


def _same(got: float | str, wanted: float | str) -> bool:
    if isinstance(got, str) or isinstance(wanted, str):
        return got == wanted
    return math.isclose(got, wanted, rel_tol=DIGITS, abs_tol=1e-9)


def _words(quality: Quality) -> str:
    return f"{quality.severity.name.lower()}: {quality.reason.replace('_', ' ')}"


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"
