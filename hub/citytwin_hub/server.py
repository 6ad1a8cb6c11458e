"""Server: the two gRPC ports of the hub, the link (both sides prove who they are) and enrolment."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import structlog

from citytwin.errors import EnrolmentError, StoreError
from citytwin_hub.authority import Authority, gateway_of
from citytwin_hub.config import split_address
from citytwin_hub.enrolment import EnrolmentService
from citytwin_hub.ingest import Ingest
from citytwin_protos.transport import OPTIONS, ServerLine, exchange_handler
from citytwin_protos.v1 import link_pb2_grpc as rpc

STREAMS_MAX = 20_000
SERVER_OPTIONS = [
    *OPTIONS,
    # Otherwise a second hub may listen at the same port, and gateways reach one or the other.
    ("grpc.so_reuseport", 0),
]

_log = structlog.get_logger(__name__)


class LinkServer:
    """Listens for gateways; ``link_port`` and ``enrol_port`` are known after ``start``."""

    def __init__(self, authority: Authority, ingest: Ingest, enrolment: EnrolmentService) -> None:
        """Serve ``ingest`` and ``enrolment`` with the authority's server certificate."""
        self._authority = authority
        self._ingest = ingest
        self._enrolment = enrolment
        self._servers: list[grpc.aio.Server] = []
        self.link_port = 0
        self.enrol_port = 0

    async def start(self, bind: str, enrol_bind: str, advertised: str = "") -> None:
        """Listen; port 0 takes any free one.

        Raises:
            StoreError: an address cannot be bound.
        """
        pair = [(self._authority.server_key_pem, self._authority.server_pem)]
        mutual = grpc.ssl_server_credentials(pair, self._authority.pem, require_client_auth=True)
        streams = ("grpc.max_concurrent_streams", STREAMS_MAX)
        link = grpc.aio.server(options=[*SERVER_OPTIONS, streams])
        enrolment = grpc.aio.server(options=SERVER_OPTIONS)
        self._servers = [link, enrolment]
        link.add_generic_rpc_handlers((exchange_handler(self._serve),))
        rpc.add_EnrolmentServicer_to_server(self._enrolment, enrolment)
        self.link_port = _bind(link, "[link] bind", bind, mutual)
        self.enrol_port = _bind(
            enrolment, "[link] enrol_bind", enrol_bind, grpc.ssl_server_credentials(pair)
        )
        self._enrolment.link_address = advertised or f":{self.link_port}"
        for server in self._servers:
            await server.start()
        host, _ = split_address(bind)
        _log.info("link.listening", host=host, link=self.link_port, enrol=self.enrol_port)

    async def stop(self, grace_s: float = 1.0) -> None:
        """Tell the connected gateways and stop listening."""
        for connection in list(self._ingest.connections.values()):
            connection.session.bye("shutdown", "the hub is stopping")
            connection.wake.set()
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.stop(grace_s) for server in servers))

    async def _serve(self, line: ServerLine, context: Any) -> None:
        certificates = context.auth_context().get("x509_pem_cert", [])
        try:
            gateway, serial = gateway_of(certificates[0] if certificates else b"")
        except EnrolmentError as error:
            _log.warning("link.refused", peer=context.peer(), reason=str(error))
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise  # pragma: no cover  # abort has raised
        await self._ingest.serve(line, gateway, serial, context.peer())


def _bind(
    server: grpc.aio.Server, field: str, address: str, credentials: grpc.ServerCredentials
) -> int:
    try:
        port = int(server.add_secure_port(address, credentials))
    except RuntimeError:
        port = 0
    if port == 0:
        raise StoreError(f"{field} {address} cannot be listened on; is it in use?")
    return port
