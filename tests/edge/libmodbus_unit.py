"""A Modbus unit by libmodbus, a program of its own: what we read with was not written with it.

    python libmodbus_unit.py tcp PORT UNIT | rtu TTY UNIT

Serves the tables of :func:`fill` until it is ended; says "ready" when it listens. The library's own
functions for floats are left out: what they call ABCD has changed between its versions.
"""

from __future__ import annotations

import ctypes
import struct
import sys

COUNT = 120
FLOAT = -1234.5
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
"""Float k stands in holding registers 100 + 2k; A is the byte with the sign, the first one is sent
first."""


class Mapping(ctypes.Structure):
    """``modbus_mapping_t`` of libmodbus 3.1."""

    _fields_ = (
        ("nb_bits", ctypes.c_int), ("start_bits", ctypes.c_int),
        ("nb_input_bits", ctypes.c_int), ("start_input_bits", ctypes.c_int),
        ("nb_input_registers", ctypes.c_int), ("start_input_registers", ctypes.c_int),
        ("nb_registers", ctypes.c_int), ("start_registers", ctypes.c_int),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )  # fmt: skip


def library() -> ctypes.CDLL:
    """Return libmodbus with the types of what is called."""
    found = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    found.modbus_new_tcp.restype = found.modbus_new_rtu.restype = ctypes.c_void_p
    found.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    found.modbus_new_rtu.argtypes = [
        ctypes.c_char_p, ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int,
    ]  # fmt: skip
    return found


def fill(mapping: Mapping) -> None:
    """Put something into every table."""
    for number in range(COUNT):
        mapping.tab_bits[number] = number % 3 == 0
        mapping.tab_input_bits[number] = number % 5 == 0
        mapping.tab_registers[number] = 1000 + number
        mapping.tab_input_registers[number] = 60_000 + number
    for number, order in enumerate(ORDERS):
        sent = bytes(struct.pack(">f", FLOAT)["ABCD".index(letter)] for letter in order)
        for half, word in enumerate(struct.unpack(">2H", sent)):
            mapping.tab_registers[100 + 2 * number + half] = word


def serve(kind: str, where: str, unit: int) -> None:
    """Answer until the process is ended; a connection that is closed makes room for the next."""
    modbus, listening = library(), ctypes.c_int(-1)
    if kind == "tcp":
        context = ctypes.c_void_p(modbus.modbus_new_tcp(b"127.0.0.1", int(where)))
        listening.value = modbus.modbus_tcp_listen(context, 1)
        assert listening.value >= 0, "the port is taken"
    else:
        context = ctypes.c_void_p(modbus.modbus_new_rtu(where.encode(), 9600, b"N", 8, 1))
        assert modbus.modbus_connect(context) == 0, "the port does not open"
    modbus.modbus_set_slave(context, unit)
    mapping = modbus.modbus_mapping_new(COUNT, COUNT, COUNT, COUNT)
    fill(mapping.contents)
    request = ctypes.create_string_buffer(260)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if kind == "tcp":
            modbus.modbus_tcp_accept(context, ctypes.byref(listening))
        while (length := modbus.modbus_receive(context, request)) != -1:
            if length > 0:
                modbus.modbus_reply(context, request, length, mapping)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
