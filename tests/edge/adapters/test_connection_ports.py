"""Serial ports as the system names them: those of this machine, and a stick as it is told of."""

from serial.tools.list_ports_common import ListPortInfo

from citytwin_edge.adapters import connection_ports
from citytwin_edge.adapters.connection_ports import serial_ports

NAMES = ["port", "device", "usb", "serial", "lasting"]


def test_ports_of_this_machine_are_listed():
    for row in serial_ports():  # there may be none
        assert row["port"].startswith("/dev/")
        assert list(row) == NAMES


def test_ports_are_listed_with_what_the_system_says_of_them(tmp_path, monkeypatch):
    dev, by_id = tmp_path / "dev", tmp_path / "by-id"
    for folder in (dev, by_id):
        folder.mkdir()
    for name in ("ttyUSB1", "ttyUSB0", "ttyS0"):
        (dev / name).touch()
    (by_id / "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0").symlink_to(dev / "ttyUSB0")
    (by_id / "usb-of-another").symlink_to(dev / "ttyACM9")
    stick, other, plain = (ListPortInfo(str(dev / one)) for one in ("ttyUSB0", "ttyUSB1", "ttyS0"))
    stick.description, stick.serial_number = "FT232R USB UART", "A50285BI"
    stick.vid, stick.pid = 0x0403, 0x6001
    other.description, other.vid, other.pid = "CP2102", 0x10C4, 0xEA60
    monkeypatch.setattr(connection_ports, "BY_ID", by_id)
    monkeypatch.setattr(connection_ports, "comports", lambda **_: [other, stick, plain])
    found = serial_ports()
    assert [list(row) for row in found] == [NAMES] * 3
    assert [tuple(row.values())[1:] for row in found] == [
        ("", "", "", ""),
        ("FT232R USB UART", "0403:6001", "A50285BI",
         str(by_id / "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0")),
        ("CP2102", "10c4:ea60", "", ""),
    ]  # fmt: skip
