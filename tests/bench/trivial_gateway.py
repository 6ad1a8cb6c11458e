"""The simplest gateway that could be: it polls and sends JSON. A baseline for the bench.

``python trivial_gateway.py SINK REGISTERS PORT…`` reads the Modbus TCP devices at these ports once
a second with pymodbus's own client and sends a line of JSON for each sample to the port SINK: no
store, no TLS, no quality, no acknowledgement.
"""

from __future__ import annotations

import asyncio
import json
import sys

from pymodbus.client import AsyncModbusTcpClient

from citytwin import SystemClock

CLOCK = SystemClock()


async def poll(port: int, registers: int, sink: asyncio.StreamWriter) -> None:
    """Read one device for ever."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        answer = await client.read_holding_registers(0, count=registers, device_id=1)
        time_ms = CLOCK.now_ns() // 1_000_000
        for register, value in enumerate(answer.registers):
            line = {"point": f"d{port}/r{register}", "time": time_ms, "value": value / 10}
            sink.write(json.dumps(line).encode() + b"\n")
        await sink.drain()
        due += 1.0
        await asyncio.sleep(max(0.0, due - loop.time()))


async def main(sink_port: int, registers: int, ports: list[int]) -> None:
    """Poll every device into one connection."""
    _, sink = await asyncio.open_connection("127.0.0.1", sink_port)
    await asyncio.gather(*(poll(port, registers, sink) for port in ports))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
