"""IF97: the numbers by which the release says that a program is to be verified."""

import numpy as np
import pytest

from citytwin_edge.kernels.heat.if97 import boiling_k, liquid


@pytest.mark.parametrize(
    ("pressure_mpa", "kelvin", "volume", "enthalpy"),
    [
        (3, 300, 0.100215168e-2, 0.115331273e3),
        (80, 300, 0.971180894e-3, 0.184142828e3),
        (3, 500, 0.120241800e-2, 0.975542239e3),
    ],
)
def test_table_5_of_the_release(pressure_mpa, kelvin, volume, enthalpy):
    found = liquid(pressure_mpa, np.array([kelvin]))
    assert (1 / found[0][0], found[1][0]) == pytest.approx((volume, enthalpy), rel=5e-9)


@pytest.mark.parametrize(
    ("pressure_mpa", "kelvin"),
    [(0.1, 0.372755919e3), (1, 0.453035632e3), (10, 0.584149488e3)],
)
def test_table_36_of_the_release(pressure_mpa, kelvin):
    assert boiling_k(pressure_mpa) == pytest.approx(kelvin, abs=5e-7)


def test_one_temperature_gives_to_the_last_bit_what_many_give():
    kelvin = np.linspace(280, 400, 50)
    many = liquid(1.6, kelvin)
    for number, one in enumerate(kelvin):
        alone = liquid(1.6, np.array([one]))
        assert (alone[0][0], alone[1][0]) == (many[0][number], many[1][number])
