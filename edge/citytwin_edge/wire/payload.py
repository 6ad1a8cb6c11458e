"""Payload: what an MQTT message says of a point; JSON by path (RFC 9535), or a plain value."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any, Final

import jsonpath

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceMalformed

PAYLOAD_BYTES_MAX: Final = 64 * 1024
_TRUTH: Final = {"true": 1.0, "on": 1.0, "open": 1.0, "false": 0.0, "off": 0.0, "closed": 0.0}
_SECONDS_MAX: Final = 1e11
"""A number of seconds since 1970 stays below this for 3,000 years; milliseconds are above it."""


class PayloadField:
    """One value in a payload, and the time stamp that goes with it; compiled once."""

    def __init__(self, path: str = "", time_path: str = "") -> None:
        """Take the value at ``path`` (empty: the payload is the value) and its time, if any.

        Raises:
            ValueError: a path is not RFC 9535's.
        """
        try:
            self._path = jsonpath.compile(path) if path else None
            self._time = jsonpath.compile(time_path) if time_path else None
        except jsonpath.JSONPathError as error:
            raise ValueError(f"{path or time_path!r} is not a JSON path: {error}") from None

    def decode(self, payload: bytes) -> tuple[float | str, int | None]:
        """Return (value, UTC nanoseconds or None); a text that is no number stays a text.

        Raises:
            DeviceMalformed: the payload is too large, not JSON, or has nothing at the path.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise DeviceMalformed(f"the payload has over {PAYLOAD_BYTES_MAX} bytes")
        if self._path is None:
            return _value(payload.decode("utf-8", "replace").strip()), None
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise DeviceMalformed(f"the payload is not JSON: {error}") from None
        value = _value(_first(self._path, document))
        return value, None if self._time is None else _time_ns(_first(self._time, document))


def _first(path: Any, document: Any) -> Any:
    found = path.findall(document)
    if not found:
        raise DeviceMalformed(f"the payload has nothing at {path}")
    return found[0]


def _value(seen: Any) -> float | str:
    if isinstance(seen, bool | int | float):
        return float(seen) if math.isfinite(seen) else math.nan
    if seen is None:
        return math.nan
    if not isinstance(seen, str):
        raise DeviceMalformed(f"the value is a {type(seen).__name__}, not a number or text")
    try:
        number = float(seen)
    except ValueError:
        return _TRUTH.get(seen.casefold(), seen)
    return number if math.isfinite(number) else math.nan


def _time_ns(seen: Any) -> int:
    """Return UTC nanoseconds of ISO 8601 with a zone, or of seconds or milliseconds since 1970."""
    if isinstance(seen, str):
        try:
            moment = datetime.datetime.fromisoformat(seen)
        except ValueError:
            raise DeviceMalformed(f"{seen[:40]!r} is not a time") from None
        if moment.tzinfo is None:
            raise DeviceMalformed(f"the time {seen[:40]!r} has no zone")
        return round(moment.timestamp() * 1000) * 1_000_000
    if isinstance(seen, int | float) and not isinstance(seen, bool) and math.isfinite(seen):
        return round(seen * SECOND_NS) if abs(seen) < _SECONDS_MAX else round(seen * 1_000_000)
    raise DeviceMalformed("the time is neither ISO 8601 nor a number")
