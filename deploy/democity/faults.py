"""Faults: the troubles that ``make demo FAULT=…`` injects, each for a while."""

from __future__ import annotations

import asyncio
from typing import Final

from democity.child import Child
from democity.supervisor import Supervisor

AFTER_S: Final = 20.0
LASTS_S: Final = {"burst": 300.0, "silent-device": 300.0, "broker-down": 60.0, "hub-down": 60.0}
"""How long each fault lasts by default, in seconds."""
BURST_NODE: Final = "111"
BURST_COEFFICIENT: Final = 200.0
"""m³/h at one metre of pressure: a main torn open."""
SILENT_DEVICE: Final = "vc-189"


async def inject(city: Supervisor, fault: str, after_s: float, lasts_s: float) -> None:
    """Wait, bring the trouble about, and undo it later; each step is said on standard output."""
    print(f"democity: fault {fault!r} in {after_s:g} s, for {lasts_s:g} s", flush=True)
    await asyncio.sleep(after_s)
    match fault:
        case "burst":
            city.order(f"burst {BURST_NODE} {BURST_COEFFICIENT}")
            print(f"democity: the main at junction {BURST_NODE} has burst", flush=True)
            await asyncio.sleep(lasts_s)
            city.order(f"burst {BURST_NODE} 0")
            print(f"democity: the main at junction {BURST_NODE} is mended", flush=True)
        case "silent-device":
            city.order(f"silence {SILENT_DEVICE}")
            print(f"democity: the valve chamber {SILENT_DEVICE} answers no more", flush=True)
            await asyncio.sleep(lasts_s)
            city.order(f"answer {SILENT_DEVICE}")
            print(f"democity: the valve chamber {SILENT_DEVICE} answers again", flush=True)
        case "broker-down":
            await _pause(city.broker, "the broker", lasts_s)
        case "hub-down":
            await _pause(city.hub, "the hub", lasts_s)
        case _:
            raise ValueError(fault)


async def _pause(child: Child | None, what: str, lasts_s: float) -> None:
    assert child is not None
    await child.stop()
    print(f"democity: {what} is down for {lasts_s:g} s", flush=True)
    await asyncio.sleep(lasts_s)
    await child.start()
    print(f"democity: {what} is back", flush=True)
