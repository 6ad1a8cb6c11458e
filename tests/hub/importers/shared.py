"""The shared data that some tests stand on; where they are absent, those skip."""

from pathlib import Path

import pytest

from tests.bench.shared_data import shared

_FOUND = shared("almaty_osm")
ALMATY = _FOUND or Path("absent")
needs_data = pytest.mark.skipif(_FOUND is None, reason="there is no shared/data beside it")
