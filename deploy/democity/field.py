"""The field: one process in which the truth runs and every device on a wire answers.

Prints one JSON line when everything listens: ports and serial lines by device. Reads orders from
standard input, one a line: ``burst NODE COEFFICIENT``, ``silence DEVICE``, ``answer DEVICE``; ends
at the end of its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

from citytwin.clock import SystemClock
from democity.devices import Device, city_devices
from democity.instruments import Instruments
from democity.ptys import SerialLine
from democity.sensors import publish
from democity.truth import WaterTruth

STEP_S: Final = 0.5
FIRST_PORT: Final = 15100
LINE_BYTES_MAX: Final = 1000


class Field:
    """The truth and its devices, running."""

    def __init__(self, truth: WaterTruth, state: Path, first_port: int = FIRST_PORT) -> None:
        """Stand on ``truth``; serial lines lie in ``state``; ports count from ``first_port``."""
        self.truth, self._state, self._port = truth, state, first_port
        self.devices = {device.name: device for device in city_devices(truth)}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self._servers: list[Any] = []
        self._lines: list[SerialLine] = []
        self._instruments: Instruments | None = None

    async def start(self) -> None:
        """Open every server."""
        lines: dict[str, list[Device]] = {}
        for device in self.devices.values():
            if device.line == "tcp":
                await self._start_tcp(device)
            else:
                lines.setdefault(device.line, []).append(device)
        for name, devices in lines.items():
            line = SerialLine(self._state / "tty", name)
            self._lines.append(line)
            server = ModbusSerialServer(
                [device.simulated() for device in devices],
                framer=FramerType.RTU,
                port=str(line.ends[0]),
                baudrate=19200,
                ignore_missing_devices=True,
            )
            await server.serve_forever(background=True)
            self._servers.append(server)
            for device in devices:
                self.endpoints[device.name] = {"serial": str(line.ends[1]), "unit": device.unit}
        self._instruments = Instruments(self.truth, self._state / "tty", SystemClock())
        self.endpoints |= self._instruments.endpoints

    async def stop(self) -> None:
        """Close every server and line."""
        for server in self._servers:
            await server.shutdown()
        for line in self._lines:
            line.close()
        if self._instruments is not None:
            self._instruments.close()
        self.truth.close()

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Let time pass in the truth until the orders end."""
        clock = SystemClock()
        reading = asyncio.ensure_future(self._obey(orders))
        while not reading.done():
            self.truth.advance(clock.now_ns())
            await asyncio.wait({reading}, timeout=STEP_S)

    async def _obey(self, orders: asyncio.StreamReader) -> None:
        while line := await orders.readline():
            self.order(line.decode().split())

    def order(self, words: list[str]) -> None:
        """Carry out one order of the supervisor."""
        match words:
            case ["burst", node, coefficient]:
                self.truth.burst(node, float(coefficient))
            case ["silence", name] if name in self.devices:
                self.devices[name].silent = True
            case ["answer", name] if name in self.devices:
                self.devices[name].silent = False
            case _:
                print(f"democity.field: not an order: {' '.join(words)}", file=sys.stderr)

    async def _start_tcp(self, device: Device) -> None:
        port = self._port
        self._port += 1
        server = ModbusTcpServer(
            device.simulated(), address=("127.0.0.1", port), ignore_missing_devices=True
        )
        await server.serve_forever(background=True)
        self._servers.append(server)
        self.endpoints[device.name] = {"host": "127.0.0.1", "port": port, "unit": device.unit}


async def _main(state: Path, first_port: int, broker_port: int) -> None:
    truth = WaterTruth(SystemClock().now_ns())
    field = Field(truth, state, first_port)
    await field.start()
    print(json.dumps(field.endpoints), flush=True)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    publishing = asyncio.ensure_future(publish(broker_port, SystemClock()))
    await field.run(orders)
    publishing.cancel()
    await field.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
