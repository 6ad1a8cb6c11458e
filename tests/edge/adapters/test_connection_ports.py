"""Serial ports as the system names them."""

from citytwin_edge.adapters.connection_ports import serial_ports


def test_ports_are_listed_with_what_the_system_says_of_them():
    for row in serial_ports():
        assert row["port"].startswith("/dev/")
        assert list(row) == ["port", "device", "usb", "serial", "lasting"]
