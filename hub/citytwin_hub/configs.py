"""Configs: the configurations of gateways: every version, what was pushed and what became of it.

submitted → sent → applied → confirmed | rolled-back; or refused, expired, cancelled. One push of a
gateway is open at a time. What a gateway runs is only what it says itself: a push changes nothing
here until its gateway has reported. docs/specs/config.md has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from citytwin.batch import SECOND_NS
from citytwin.command import REASON_CHARS_MAX
from citytwin.errors import CityTwinError, StoreError, WireError
from citytwin.identity import segment
from citytwin_hub.config_texts import checked, digest_of
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit
from citytwin_hub.versions import Push, Version, Versions
from citytwin_protos.config_order import (
    ConfigOrder,
    PushState,
    deflated,
    inflated,
    order_to_bytes,
    signed_bytes,
)
from citytwin_protos.session import ConfigReported

LIFE_NS: Final = 7 * 24 * 3600 * SECOND_NS
"""A push that its gateway has not answered by then is not sent any more."""
AT_GATEWAY: Final = "at the gateway"
"""Who made a version that a gateway has told of."""

_HEARD: Final = {
    PushState.TRIAL.value: "applied",
    PushState.CONFIRMED.value: "confirmed",
    PushState.ROLLED_BACK.value: "rolled-back",
    PushState.REFUSED.value: "refused",
}
"""A gateway's word for a state, and ours."""

_log = structlog.get_logger(__name__)


class ConfigRefused(CityTwinError):
    """A configuration may not be pushed, or is not there; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        """Refuse with 403, 404, 409 or 422."""
        super().__init__(message)
        self.status, self.field = status, field


class Configs:
    """Holds, pushes and follows. Belongs to the event loop."""

    def __init__(
        self,
        path: Path,
        sign: Callable[[bytes], bytes],
        send: Callable[[str, bytes, bytes], bool],
        ask: Callable[[str, str], bool],
    ) -> None:
        """Open or create the store.

        Args:
            path: an SQLite file; only its owner may read it: configurations hold passwords.
            sign: returns the authority's signature.
            send: sends a gateway a signed order if it is connected and takes such.
            ask: asks a gateway for the text of the configuration with a digest.

        Raises:
            StoreError: the file cannot be used.
        """
        self._store = Versions(path)
        self._sign, self._send, self._ask = sign, send, ask
        self._reports: dict[str, ConfigReported] = self._store.reports()
        self._summaries: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Release the file."""
        self._store.close()

    # ---- people
    def push(
        self, user: Permit, gateway: str, text: bytes, now_ns: int, *, why: str = "",
        force: bool = False,
    ) -> Push:  # fmt: skip
        """Keep a configuration as a new version and send it, as soon as its gateway is there.

        Raises:
            ConfigRefused: it may not be pushed; the text says why.
            StoreError: it cannot be kept; then it was not sent.
        """
        self._refuse(user)
        segment(gateway, "gateway")
        problem = checked(gateway, text)
        if problem:
            raise ConfigRefused(422, problem, "text")
        report = self._reports.get(gateway)
        if report is None and not force:
            raise ConfigRefused(
                409, f"{gateway} has not told yet what it runs; wait until it has connected (or "
                "push with force)"
            )  # fmt: skip
        if report is not None and report.remote == "off":
            raise ConfigRefused(409, f'{gateway} is locked: its [gateway] remote_config is "off"')
        present = self._store.open_push(gateway)
        if present is not None:
            raise ConfigRefused(
                409, f"push {present.number} of {gateway} is {present.state}; one at a time "
                "(cancel it as long as it is not sent)"
            )  # fmt: skip
        number = 1 + max(self._store.last(gateway), report.push if report else 0)
        base = "" if force or report is None else report.digest
        version = Version(
            gateway, number, digest_of(text), deflated(text), user.name, why[:REASON_CHARS_MAX],
            now_ns,
        )  # fmt: skip
        self._store.add(version, base)
        self._step(gateway, number, "submitted", now_ns, f"by {user.name}")
        self._try_to_send(gateway, now_ns)
        found = self._store.push(gateway, number)
        assert found is not None, "it was just kept"
        return found

    def roll_back(
        self, user: Permit, gateway: str, now_ns: int, *, number: int = 0, why: str = ""
    ) -> Push:
        """Push an older version again: the one with a number, else the one confirmed before.

        Raises:
            ConfigRefused: there is none; or as :meth:`push`.
        """
        self._refuse(user)
        if not number:
            number = self._store.before(gateway, self._running(gateway))
        version = self._store.version(gateway, number) if number else None
        if version is None:
            raise ConfigRefused(404, f"{gateway} has no version to go back to", "number")
        text = inflated(version.text)
        return self.push(user, gateway, text, now_ns, why=why or f"back to version {number}")

    def cancel(self, user: Permit, gateway: str, now_ns: int) -> Push:
        """Give up a push that has not been sent.

        Raises:
            ConfigRefused: there is none.
        """
        self._refuse(user)
        present = self._store.open_push(gateway)
        if present is None or present.state != "submitted":
            raise ConfigRefused(409, f"there is no push of {gateway} that has not been sent")
        self._step(gateway, present.number, "cancelled", now_ns, f"by {user.name}")
        found = self._store.push(gateway, present.number)
        assert found is not None, "it is there"
        return found

    def accept(self, user: Permit, gateway: str, now_ns: int) -> int:
        """Take over what the gateway runs as what it shall run; return its version's number.

        Raises:
            ConfigRefused: its text is not known.
        """
        self._refuse(user)
        number = self._running(gateway)
        if not number:
            raise ConfigRefused(409, f"the text of what {gateway} runs is not known here")
        self._store.want(gateway, number)
        self._summaries.pop(gateway, None)
        _log.info("config.accepted", gateway=gateway, version=number, by=user.name, at_ns=now_ns)
        return number

    def text(self, user: Permit, gateway: str, number: int = 0) -> bytes:
        """Return the text of a version, of the one that runs without a number.

        Raises:
            ConfigRefused: the user may not see it, or it is not known.
        """
        self._refuse(user)
        number = number or self._running(gateway) or self._store.wanted(gateway)
        version = self._store.version(gateway, number) if number else None
        if version is None:
            raise ConfigRefused(404, f"there is no such version of {gateway}", "number")
        return inflated(version.text)

    def texts_to_compare(
        self, user: Permit, gateway: str, old: int = 0, new: int = 0
    ) -> tuple[str, bytes, str, bytes]:
        """Return name and text of two versions: without numbers, what shall run and what does.

        Raises:
            ConfigRefused: as :meth:`text`.
        """
        new = new or self._running(gateway)
        if not old:
            wanted = self._store.wanted(gateway)
            old = wanted if wanted != new else self._store.before(gateway, new)
        return (
            f"{gateway} version {old}", self.text(user, gateway, old),
            f"{gateway} version {new}", self.text(user, gateway, new),
        )  # fmt: skip

    # ---- gateways
    def reported(self, gateway: str, report: ConfigReported, now_ns: int) -> None:
        """Take what a gateway says that it runs, and what became of a push."""
        before = self._reports.get(gateway)
        self._summaries.pop(gateway, None)
        self._reports[gateway] = ConfigReported(
            report.digest, report.remote[:20], report.push, report.state, report.reason,
            report.at_ns,
        )  # fmt: skip
        try:
            if before != self._reports[gateway]:
                self._store.note_report(gateway, self._reports[gateway])
            if report.text:
                self._adopt(gateway, report, now_ns)
            elif report.remote != "off" and not self._store.number_of(gateway, report.digest):
                self._ask(gateway, report.digest)
            self._follow(gateway, report, now_ns)
        except StoreError as error:
            _log.error("config.unsaved", gateway=gateway, reason=str(error))

    def _adopt(self, gateway: str, report: ConfigReported, now_ns: int) -> None:
        """Keep what somebody wrote at the gateway as a version, too."""
        try:
            text = inflated(report.text)
        except WireError as error:
            _log.warning("config.text_unreadable", gateway=gateway, reason=str(error))
            return
        if digest_of(text) != report.digest or self._store.number_of(gateway, report.digest):
            return
        number = 1 + max(self._store.last(gateway), report.push)
        self._store.add(
            Version(gateway, number, report.digest, report.text, AT_GATEWAY, "", now_ns), None
        )
        _log.info("config.adopted", gateway=gateway, version=number, digest=report.digest[:12])

    def _follow(self, gateway: str, report: ConfigReported, now_ns: int) -> None:
        push = self._store.open_push(gateway)
        if push is None:
            return
        if report.push < push.number:
            self._try_to_send(gateway, now_ns)
            return
        state = _HEARD.get(report.state, "")
        if report.push > push.number or not state or state == push.state:
            return
        self._step(gateway, push.number, state, report.at_ns or now_ns, report.reason)
        if state == "confirmed":
            self._store.want(gateway, push.number)
            self._summaries.pop(gateway, None)

    def check(self, now_ns: int) -> None:
        """Give up pushes that nobody answers; called about once a second."""
        for push in self._store.open_pushes():
            if push.state != "applied" and now_ns - push.submitted_ns > LIFE_NS:
                why = "its gateway was not there" if push.state == "submitted" else "no answer"
                self._step(push.gateway, push.number, "expired", now_ns, why)

    def _try_to_send(self, gateway: str, now_ns: int) -> None:
        push = self._store.open_push(gateway)
        version = None if push is None else self._store.version(gateway, push.number)
        if push is None or version is None or push.state == "applied":
            return
        order = order_to_bytes(
            ConfigOrder(
                gateway=gateway,
                number=push.number,
                base=push.base,
                text=version.text,
                issued_by=version.by,
                issued_ns=version.at_ns,
                why=version.why,
            )
        )
        signature = self._sign(signed_bytes(order))
        if self._send(gateway, order, signature) and push.state == "submitted":
            self._step(gateway, push.number, "sent", now_ns, "")

    def _step(self, gateway: str, number: int, state: str, at_ns: int, reason: str) -> None:
        self._store.step(gateway, number, state, at_ns, reason)
        self._summaries.pop(gateway, None)
        _log.info("config." + state, gateway=gateway, push=number, reason=reason)

    # ---- what is shown
    def summary(self, gateway: str) -> dict[str, Any]:
        """Return how a gateway's configuration does, without its text."""
        if gateway not in self._summaries:
            # Browsers are told of all gateways twice a second; this takes several queries.
            self._summaries[gateway] = self._summary(gateway)
        return self._summaries[gateway]

    def _summary(self, gateway: str) -> dict[str, Any]:
        report = self._reports.get(gateway)
        wanted, newest = self._store.wanted(gateway), self._store.newest_push(gateway)
        running = self._running(gateway)
        version = self._store.version(gateway, wanted) if wanted else None
        return {
            "gateway": gateway,
            "digest": report.digest if report else "",
            "number": running or None,
            "wanted": wanted or None,
            "drift": bool(report and version and version.digest != report.digest),
            "remote": report.remote if report else "",
            "push": None if newest is None else described(newest),
        }

    def history(self, gateway: str) -> Sequence[dict[str, Any]]:
        """Return every version without its text, the newest first."""
        shown = []
        for version in self._store.versions(gateway):
            push = self._store.push(gateway, version.number)
            shown.append(
                {
                    "number": version.number,
                    "digest": version.digest,
                    "by": version.by,
                    "at_ms": version.at_ns // 1_000_000,
                    "why": version.why,
                    "push": None if push is None else described(push),
                }
            )
        return shown

    def _running(self, gateway: str) -> int:
        """Return the number of the version that a gateway runs; 0 when it is not known here."""
        report = self._reports.get(gateway)
        return self._store.number_of(gateway, report.digest) if report else 0

    def _refuse(self, user: Permit) -> None:
        if not user.is_whole(Act.CONFIGURE):
            raise ConfigRefused(403, user.refusal(Act.CONFIGURE))


def described(push: Push) -> dict[str, Any]:
    """Return a push as the APIs show it."""
    return {
        "number": push.number,
        "state": push.state,
        "reason": push.steps[-1].reason,
        "history": [
            {"state": step.state, "at_ms": step.at_ns // 1_000_000, "reason": step.reason}
            for step in push.steps
        ],
    }
