"""An SDM120 meter made of pymodbus's real server, for tests of what a technician does with one."""

import contextlib
import struct
from collections.abc import AsyncIterator

from tests.edge.modbus_devices import device, tcp_server

VALUES = {
    0: 231.4, 6: 4.2, 12: 950.0, 18: 971.9, 24: -205.0, 30: 0.9775, 70: 50.01,
    72: 1234.5, 74: 1.5, 76: 100.1, 78: 3.2,
}  # fmt: skip
"""By register, as its manual has them: P = U·I·cos φ."""
CODE = (64512, [0] * 20)


def registers(values=VALUES, *, swapped=False):
    """Return its input registers; ``swapped``: low words first, as the meter does not have them."""
    words = [0] * 400
    for address, value in values.items():
        pair = struct.unpack(">HH", struct.pack(">f", value))
        words[address : address + 2] = pair[::-1] if swapped else pair
    return words


@contextlib.asynccontextmanager
async def meter(*, unit=3, swapped=False, values=VALUES) -> AsyncIterator[int]:
    """Serve one; yields its port."""
    inputs = [(0, registers(values, swapped=swapped))]
    async with tcp_server(device(unit, [(0, [0] * 100), CODE], inputs=inputs)) as port:
        yield port
