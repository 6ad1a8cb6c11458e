"""Payload: what an MQTT message says of a point; JSON by path (RFC 9535), or a plain value."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import jsonpath

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.stamps import moment_ns
from citytwin_edge.wire.texts import truth

PAYLOAD_BYTES_MAX: Final = 64 * 1024


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
        return value, None if self._time is None else moment_ns(_first(self._time, document))


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
        known = truth(seen)
        return seen if known is None else known
    return number if math.isfinite(number) else math.nan
