"""What formulas of flowing water want of settings."""

import pytest

from citytwin_edge.kernels.water.flows import above, finite


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_settings_that_must_be_above_zero(value):
    with pytest.raises(ValueError, match="width_m must be above 0"):
        above(depth_m=1, width_m=value)


def test_settings_that_must_be_numbers():
    finite(zero_m=-3)
    with pytest.raises(ValueError, match="zero_m must be a number"):
        finite(zero_m=float("nan"))
