"""cjio, the judge of CityJSON, without what it does to the JSON of the process that imports it."""

import json.encoder
from typing import Any

_ENCODER: Any = json.encoder
_KEPT = _ENCODER.c_make_encoder
from cjio import cityjson  # noqa: E402  # rounds the floats of whoever writes JSON after it

_ENCODER.c_make_encoder = _KEPT
del _ENCODER.float

__all__ = ["cityjson"]
