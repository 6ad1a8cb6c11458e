"""What is written about framing becomes a CRC, or is refused with what is missing."""

import msgspec
import pytest

from citytwin_edge.adapters.serial_framing import ChecksumSettings, FrameSettings, LineSettings


def test_a_crc_without_a_name_has_its_parameters():
    one = msgspec.convert({"kind": "crc", "width": 16, "poly": 0x1021}, ChecksumSettings)
    crc = one.crc()
    assert crc is not None
    assert (crc.width, crc.poly, crc.init, crc.reflected, crc.xor_out) == (16, 0x1021, 0, False, 0)
    assert ChecksumSettings(kind="crc16-modbus").crc() is None


@pytest.mark.parametrize("given", [{"width": 16}, {"poly": 7}, {"reflected": True}])
def test_half_a_crc_is_refused(given):
    with pytest.raises(ValueError, match="needs both width and poly"):
        msgspec.convert({"kind": "crc", **given}, ChecksumSettings).crc()


def test_lengths_have_limits():
    for settings in (LineSettings, FrameSettings):
        with pytest.raises(msgspec.ValidationError, match="length_max"):
            msgspec.convert({"length_max": 5000}, settings)
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({"lenght_max": 50}, settings)
