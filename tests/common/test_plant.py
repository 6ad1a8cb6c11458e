"""A plant's model as text: whole, damaged, foreign; filling what is silent."""

import base64
import zlib

import msgspec
import numpy as np
import pytest

from citytwin.errors import MalformedError, TooLargeError
from citytwin.plant import CHANNELS_MAX, HEAD, TEXT_LENGTH_MAX, PlantModel, read, smoothed
from citytwin.plant_fit import fit
from tests.common.plants import HOUR_NS, NAMES, PRESSURE, START_NS, plant

MODEL = fit(NAMES, START_NS, 3600, plant(30)).model


def packed(*fields):
    body = msgspec.msgpack.encode(fields)
    return HEAD + base64.b64encode(body + zlib.crc32(body).to_bytes(4, "little")).decode()


def test_a_model_survives_its_text():
    again = read(MODEL.text())
    assert (again.names, again.step_s, again.smoothing) == (NAMES, 3600, 0.5)
    for name in ("mean", "scale", "limit", "weights"):
        assert getattr(again, name) == pytest.approx(getattr(MODEL, name), rel=1e-6)
    assert again.text() == MODEL.text()
    assert "\n" not in again.text()


def test_the_largest_model_fits():
    count = CHANNELS_MAX
    big = PlantModel(
        tuple(f"device-{number:03}/{'x' * 180}" for number in range(count)), 60, 0.5,
        np.ones(count), np.ones(count), np.ones(count), np.ones((9 + 2 * count, count)),
    )  # fmt: skip
    assert len(big.text()) < TEXT_LENGTH_MAX
    assert read(big.text()).names == big.names


COLUMNS = np.ones(2 * (3 + 9 + 4), "<f4").tobytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a model begins with 'plant1:'"),
        ("plant2:AAAA", "a model begins with 'plant1:'"),
        (HEAD + "??", "it is not base64"),
        (MODEL.text()[:-8], "its checksum is wrong"),
        (MODEL.text().replace("A", "B", 1), "checksum|base64"),
        (packed("x"), "is damaged"),
        (packed(1, ["a"], 60, 0.5, b""), "its sizes do not fit"),
        (packed(1, ["a", "a"], 60, 0.5, COLUMNS), "its sizes do not fit"),
        (packed(1, ["a", "b"], 0, 0.5, COLUMNS), "its sizes do not fit"),
        (packed(1, ["a", "b"], 60, float("nan"), COLUMNS), "its sizes do not fit"),
        (packed(1, ["a", "b"], 60, 0.5, COLUMNS[4:]), "its sizes do not fit"),
        (packed(1, ["a", "b"], 60, 0.5, b"\0" * len(COLUMNS)), "numbers that cannot be"),
        (packed(1, ["a", "b"], 60, 0.5, b"\xff" * len(COLUMNS)), "numbers that cannot be"),
    ],
)
def test_what_is_no_model_is_refused(text, words):
    with pytest.raises(MalformedError, match=words):
        read(text)


def test_a_text_that_is_too_long_is_not_looked_at():
    with pytest.raises(TooLargeError, match="at most 262144 characters"):
        read(HEAD + "A" * TEXT_LENGTH_MAX)


def test_what_is_silent_is_filled_from_the_rest():
    table = MODEL.standard(plant(40, seed=5))
    before, now = table[699], table[700]
    silent = now.copy()
    silent[PRESSURE] = np.nan
    filled = MODEL.filled(START_NS + 700 * HOUR_NS, before, silent)
    assert filled[PRESSURE] == pytest.approx(now[PRESSURE], abs=0.3)
    assert np.delete(filled, PRESSURE).tolist() == np.delete(now, PRESSURE).tolist()
    assert MODEL.filled(START_NS, before, now) is now


def test_a_smoothed_residual_comes_to_what_lasts():
    mean = smoothed(np.ones((4, 1)), 0.5)
    assert mean[:, 0].tolist() == [0.5, 0.75, 0.875, 0.9375]


def test_the_share_is_of_who_is_wrong_not_of_who_is_predicted_by_it():
    table = MODEL.standard(plant(40, seed=5))
    before, now = table[699], table[700].copy()
    now[PRESSURE] -= 1.0
    left = now - MODEL.expected(START_NS + 700 * HOUR_NS, before, now)
    assert np.sort(np.abs(left) / MODEL.limit)[-2] > 10  # others deviate as much
    share = MODEL.shares(left)
    assert np.argmax(share) == PRESSURE
    assert share[PRESSURE] > 0.98
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert MODEL.shares(np.zeros(len(NAMES))).tolist() == [0.0] * len(NAMES)
