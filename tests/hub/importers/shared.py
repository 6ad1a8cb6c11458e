"""The shared data that some tests stand on; where they are absent, those skip."""

import pytest

from tests.bench.shared_data import shared

ALMATY = shared("almaty_osm")
needs_data = pytest.mark.skipif(ALMATY is None, reason="there is no shared/data beside it")
