"""Status: how a running agent is, as plain values: hub, outbox, clock, devices."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytwin.batch import SECOND_NS
from citytwin.errors import StoreError
from citytwin_edge import VERSION
from citytwin_edge.health import resident_bytes
from citytwin_edge.outbox import Entry, EntryKind
from citytwin_protos.codec import outcome_from_bytes, unpack

if TYPE_CHECKING:
    from citytwin_edge.agent import Agent
    from citytwin_edge.console.latest import Latest
    from citytwin_edge.gateway import GatewayConfig
    from citytwin_edge.poller import Poller

Status = dict[str, Any]


class StatusOf:
    """Says how an agent is; remembers which file its configuration came from."""

    def __init__(self, agent: Agent) -> None:
        """Look at ``agent`` from now on, which has just been started."""
        self._agent = agent
        self._started_ns = agent.trust.monotonic_ns()
        self._config: GatewayConfig | None = None
        self._sha256 = ""

    async def status(self) -> Status:
        """Return everything, in values that JSON has; times are UTC nanoseconds, 0: never."""
        agent = self._agent
        now_ns = agent.trust.now_ns()
        running_s = (agent.trust.monotonic_ns() - self._started_ns) / SECOND_NS
        return {
            "gateway": agent.config.name,
            "version": VERSION,
            "time_ns": now_ns,
            "running_s": round(running_s, 1),
            "pid": os.getpid(),
            "memory_bytes": resident_bytes(),
            "configuration": self._configuration(),
            "hub": self._hub(),
            "clock": self._clock(),
            "outbox": await self._outbox(now_ns),
            "devices": self.devices(),
            "kernels_failing": dict(agent.pipeline.failing),
        }

    def _configuration(self) -> Status:
        config = self._agent.config
        if config is not self._config:
            self._config, self._sha256 = config, check_sum(config.path)
        return {
            "file": str(config.path.resolve()),
            "sha256": self._sha256,
            "state": str(config.state.resolve()),
            "devices": len(config.devices),
            "points": len(config.points),
        }

    def _hub(self) -> Status:
        uplink = self._agent.uplink
        return {
            "connected": uplink.connected,
            "acknowledged_ns": uplink.acknowledged_ns,
            "connects": uplink.connects,
            "sent_bytes": uplink.sent_bytes,
            "trouble": uplink.trouble,
        }

    def _clock(self) -> Status:
        trust = self._agent.trust
        return {
            "synchronised": trust.synchronised(),
            "trusted": trust.trusted(),
            "offset_s": None if trust.offset_ns is None else trust.offset_ns / SECOND_NS,
            "steps": trust.steps,
        }

    async def _outbox(self, now_ns: int) -> Status:
        agent = self._agent
        lost = {
            "held_bytes": agent.keeper.held_bytes,
            "accepted_samples": agent.accepted_samples,
            "lost_samples": agent.dropped_samples,
            "bytes_max": agent.config.outbox_bytes_max,
        }
        try:
            stats, oldest = await agent.outbox_stats()
        except StoreError as error:
            return {**lost, "trouble": str(error)}
        return {
            **lost,
            "entries": stats.entries,
            "samples": stats.samples,
            "bytes": stats.bytes,
            "thinned_samples": stats.thinned_samples,
            "refused_entries": stats.refused_entries,
            "last_number": stats.last_number,
            "oldest_ns": 0 if oldest is None else time_of(oldest, now_ns),
            "trouble": "",
        }

    def devices(self) -> list[Status]:
        """Return how each device is, in the file's order."""
        agent = self._agent
        return [
            _device(agent.pollers[one.name], one.adapter, agent.latest)
            for one in agent.config.devices
        ]


def _device(poller: Poller, adapter: str, latest: Latest) -> Status:
    stats, spec = poller.stats, poller.spec
    good, uncertain, bad = latest.tally(spec.numbers)
    state = "failing" if stats.in_row else "ok" if stats.answered else "waiting"
    return {
        "device": spec.name,
        "adapter": adapter,
        "state": state,
        "since_ns": stats.since_ns,
        "answered_ns": stats.answered_ns,
        "success": round(stats.success, 4),
        "polls": stats.polls,
        "missed": stats.skipped,
        "failures": dict(stats.failures),
        "latency_p50_ms": _milliseconds(stats.latency_s(0.5)),
        "latency_p99_ms": _milliseconds(stats.latency_s(0.99)),
        "points": len(spec.points),
        "good": good,
        "uncertain": uncertain,
        "bad": bad,
        "samples": stats.samples,
        "error": stats.error,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def time_of(entry: Entry, now_ns: int) -> int:
    """Return when the first sample of an entry was taken; now where it has none."""
    if entry.kind == EntryKind.OUTCOME:
        return outcome_from_bytes(entry.body).at_ns
    batch = unpack(entry.body)
    return int(batch.time_ns.min()) if len(batch) else now_ns


def check_sum(path: Path) -> str:
    """Return the SHA-256 of a file; empty when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
