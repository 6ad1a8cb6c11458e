"""The examination: everything the doctor looks at, with a running agent or without one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from citytwin.adapter import Site
from citytwin.clock import Clock
from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor import running
from citytwin_edge.console.doctor.findings import Finding, Result
from citytwin_edge.console.doctor.hub import examine_hub
from citytwin_edge.console.doctor.machine import examine_machine
from citytwin_edge.console.doctor.ports import examine_ports, user_of
from citytwin_edge.console.status import check_sum
from citytwin_edge.gateway import GatewayConfig
from citytwin_edge.probing import Row, probe_all


async def examine(
    config: GatewayConfig, clock: Clock, status: dict[str, Any] | None
) -> list[Finding]:
    """Return everything there is to say of a gateway, in the order in which it is put right.

    Args:
        config: its configuration, as the file says now.
        clock: the machine's.
        status: of the running agent; None when none runs. Then the devices are read here, once.
    """
    agent = 0 if status is None else int(status["pid"])
    machine, ports, hub = await asyncio.gather(
        asyncio.to_thread(examine_machine, config.state, config.outbox_bytes_max, clock),
        asyncio.to_thread(examine_ports, config.devices, user_of(config.state), agent),
        examine_hub(config, clock),
    )
    if status is None:
        site = Site(clock, lambda _text: 0)
        rows = await probe_all(config.devices, site)
        stands = {"synchronised": clock.synchronised(), "offset_s": None}
        return [
            *machine, _configuration(config), running.clock(clock.now_ns(), stands), *ports,
            *_probed(config, rows), *hub, no_agent(config.state),
        ]  # fmt: skip
    return [
        *machine,
        *_changed(config, status),
        running.clock(status["time_ns"], status["clock"]),
        *ports,
        *running.devices(status),
        *hub,
        running.agent(status),
        running.hub(status),
        *running.outbox(status),
    ]


def no_agent(state: Path) -> Finding:
    """Return that no agent runs."""
    words = say.NO_AGENT.said(state=state.resolve())
    return Finding("agent", Result.WARNING, words, say.START_AGENT.said())


def bad_configuration(words: str) -> Finding:
    """Return that a configuration cannot be used, in its own words."""
    return Finding("configuration", Result.FAILED, words, say.CORRECT_CONFIG.said())


def _configuration(config: GatewayConfig) -> Finding:
    words = say.CONFIG.said(
        file=config.path.resolve(),
        name=config.name,
        devices=len(config.devices),
        points=len(config.points),
        sum=check_sum(config.path)[: running.SUM_CHARS],
    )
    return Finding("configuration", Result.OK, words)


def _changed(config: GatewayConfig, status: dict[str, Any]) -> list[Finding]:
    """Return the configuration that runs, and whether the file says something else by now."""
    found = [running.summary(status)[0]]
    if check_sum(config.path) != status["configuration"]["sha256"]:
        words = say.CONFIG_CHANGED.said(file=config.path.resolve())
        found.append(Finding("configuration", Result.WARNING, words, say.RELOAD.said()))
    return found


def _probed(config: GatewayConfig, rows: list[Row]) -> list[Finding]:
    """Return how each device is, of what reading its points once has shown."""
    findings = []
    for device in config.devices:
        mine = [row for row in rows if row["device"] == device.name]
        bad = [row for row in mine if row["quality"].startswith("bad")]
        check, name, points = f"device {device.name}", device.name, len(mine)
        if not bad:
            words = say.DEVICE_OK.said(device=name, points=points)
            findings.append(Finding(check, Result.OK, words))
        elif len(bad) < points:
            words = say.DEVICE_PART.said(device=name, bad=len(bad), points=points)
            remedy = say.SEE_POINTS.said(device=name)
            findings.append(Finding(check, Result.WARNING, words, remedy))
        else:
            words = f"{name}: {bad[0]['note'] or bad[0]['quality']}"
            remedy = say.CHECK_DEVICE.said(device=name)
            findings.append(Finding(check, Result.FAILED, words, remedy))
    return findings
