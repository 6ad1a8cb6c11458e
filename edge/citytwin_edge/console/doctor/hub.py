"""The way to the hub: enrolment, certificate, and one handshake that says where it ends."""

from __future__ import annotations

import math

from citytwin.clock import Clock
from citytwin.errors import EnrolmentError
from citytwin_edge import enrol
from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor.findings import Finding, Result
from citytwin_edge.dial import Dialler
from citytwin_edge.enrol import Identity
from citytwin_edge.gateway import GatewayConfig

EXPIRY_DAYS: int = 30
"""So long before its end a certificate is worth a word."""


async def examine_hub(config: GatewayConfig, clock: Clock) -> list[Finding]:
    """Return whether this gateway has joined a hub, may still come, and reaches it."""
    try:
        identity = enrol.load(config.state, config.name)
    except EnrolmentError as error:
        is_new = not (config.state / enrol.HUB).exists()
        words = say.NOT_ENROLLED.said() if is_new else str(error)
        return [Finding("enrolment", Result.FAILED, words, say.ENROL.said(name=config.name))]
    days = identity.days_left(clock.now_ns())
    return [_certificate(days, config.name), await _reached(config, identity)]


def _certificate(days: float, name: str) -> Finding:
    if days < 0:
        words = say.CERTIFICATE_ENDED.said(days=f"{-days:.0f}")
        return Finding("certificate", Result.FAILED, words, say.RENEW.said(name=name))
    if not math.isfinite(days):  # enrolled by an older version, which did not note it down
        return Finding("certificate", Result.OK, say.CERTIFICATE_OPEN.said())
    words = say.CERTIFICATE.said(days=f"{days:.0f}")
    if days < EXPIRY_DAYS:
        return Finding("certificate", Result.WARNING, words, say.RENEW.said(name=name))
    return Finding("certificate", Result.OK, words)


async def _reached(config: GatewayConfig, identity: Identity) -> Finding:
    where = config.hub or identity.hub
    error = await Dialler(where, identity, config.state).diagnosed()
    if error is None:
        return Finding("hub", Result.OK, say.HUB.said(where=where))
    is_refused = isinstance(error, EnrolmentError)
    remedy = say.RENEW.said(name=config.name) if is_refused else say.REACH_HUB.said()
    return Finding("hub", Result.FAILED, str(error), remedy)
