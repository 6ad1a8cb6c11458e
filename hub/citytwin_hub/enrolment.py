"""Enrolment: the service that gives a gateway its certificate for a one-time token."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import grpc
import grpc.aio
import structlog

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin.errors import EnrolmentError, IdentityError, StoreError
from citytwin.identity import segment
from citytwin_hub.authority import Authority
from citytwin_hub.registry import Registry
from citytwin_protos.token import read_token
from citytwin_protos.v1 import link_pb2 as pb
from citytwin_protos.v1 import link_pb2_grpc as rpc

FAILURES_MAX: Final = 20
"""Refusals within FAILURES_NS that are logged one by one: 2**128 leaves nothing to guess, so what
has a limit is the log. Who has a token is not kept out by those who have none."""
FAILURES_NS: Final = 60 * SECOND_NS

_log = structlog.get_logger(__name__)


class EnrolmentService(rpc.EnrolmentServicer):
    """Answers Enrol; a refusal is logged here and told to the gateway in the same words."""

    def __init__(
        self, authority: Authority, registry: Registry, clock: Clock, link_address: str = ""
    ) -> None:
        """Serve from these; ``link_address`` is what gateways are told to connect to."""
        self._authority = authority
        self._registry = registry
        self._clock = clock
        self.link_address = link_address
        self._failures: deque[int] = deque(maxlen=FAILURES_MAX)

    async def Enrol(self, request: pb.EnrolRequest, context: Any) -> pb.EnrolReply:
        """Check the token, sign the request, spend the token."""
        now_ns = self._clock.now_ns()
        try:
            gateway = segment(request.gateway, "gateway")
            secret = read_token(request.token).secret
            self._registry.check_token(gateway, secret, now_ns)
            pem, serial = self._authority.sign(gateway, request.signing_request_der, now_ns)
            self._registry.enrol(gateway, secret, serial, now_ns)
        except (EnrolmentError, IdentityError) as error:
            self._log_refused(request.gateway[:63], str(error), context.peer(), now_ns)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
            raise  # pragma: no cover  # abort has raised
        except StoreError as error:
            _log.error("enrolment.failed", gateway=request.gateway[:63], reason=str(error))
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise  # pragma: no cover  # abort has raised
        _log.info("enrolment.done", gateway=gateway, serial=serial, peer=context.peer())
        return pb.EnrolReply(
            certificate_pem=pem,
            authority_pem=self._authority.pem,
            link_address=self.link_address,
        )

    def _log_refused(self, gateway: str, reason: str, peer: str, now_ns: int) -> None:
        while self._failures and now_ns - self._failures[0] >= FAILURES_NS:
            self._failures.popleft()
        if len(self._failures) == FAILURES_MAX:
            return
        self._failures.append(now_ns)
        _log.warning("enrolment.refused", gateway=gateway, reason=reason, peer=peer)
        if len(self._failures) == FAILURES_MAX:
            _log.warning("enrolment.flood", refused=FAILURES_MAX, within_s=FAILURES_NS // SECOND_NS)
