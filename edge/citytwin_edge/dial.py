"""Dial: opens lines to the hub, and says in words why one could not be opened.

gRPC tells of a failed handshake only that there is no connection. So after a failure the handshake
is tried once more without it, and what happens there is what the technician reads.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Final

from citytwin.errors import CityTwinError, EnrolmentError, LineClosed
from citytwin_edge.enrol import CERTIFICATE, KEY, Identity
from citytwin_edge.gateway import split_address
from citytwin_protos.transport import SERVER_NAME, Line, open_exchange

CONNECT_S_MAX: Final = 10.0
DIAGNOSIS_S_MAX: Final = 5.0


class Dialler:
    """Calls a hub with one gateway's key and certificate; every call opens a new line.

    Attributes:
        address: host:port of the hub's link; may be set to that of another.
    """

    def __init__(
        self, address: str, identity: Identity, state: Path, *, timeout_s: float = CONNECT_S_MAX
    ) -> None:
        """Prepare; touches no network.

        Args:
            address: host:port of the hub's link.
            identity: what enrolment gave.
            state: the folder where it lies.
            timeout_s: how long connecting may take.
        """
        self.address, self._identity, self._state = address, identity, state
        self._timeout_s = timeout_s

    async def __call__(self) -> Line:
        """Return a line.

        Raises:
            LineClosed: the hub cannot be reached; later it may be.
            EnrolmentError: one side refuses the other's certificate.
        """
        try:
            return await open_exchange(
                self.address,
                key=self._identity.key,
                certificate=self._identity.certificate,
                authority=self._identity.authority,
                timeout_s=self._timeout_s,
            )
        except LineClosed as error:
            found = await self._diagnosed()
            raise (error if found is None else found) from None

    async def _diagnosed(self) -> CityTwinError | None:
        """Return why there is no line; None when the handshake is in order now."""
        host, port = split_address(self.address, 0)
        where = self.address
        try:
            async with asyncio.timeout(DIAGNOSIS_S_MAX):
                heard = await self._shaken_hands(host, port)
        except TimeoutError:
            return LineClosed(f"{where} does not answer: it is off, or something is in between")
        except ssl.SSLCertVerificationError as error:
            return EnrolmentError(
                f"{where} is not the hub that this gateway was enrolled at "
                f"({error.verify_message}); check the address, or enrol again"
            )
        except ssl.SSLError:
            return LineClosed(f"{where} speaks no TLS; is this the port of the hub's link?")
        except socket.gaierror:
            return LineClosed(f"the name {host} is not known; is the name service in reach?")
        except ConnectionRefusedError:
            return LineClosed(f"nothing listens at {where}; is the hub running there?")
        except OSError as error:
            return LineClosed(f"{where} cannot be reached: {error.strerror or error}")
        if heard:
            return None
        return EnrolmentError(
            f"{where} refuses this gateway's certificate: it is of another hub, or has expired; "
            "enrol again"
        )

    async def _shaken_hands(self, host: str, port: int) -> bool:
        """Shake hands by TLS; return whether the hub said anything after it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        context.load_verify_locations(cadata=self._identity.authority.decode())
        context.load_cert_chain(self._state / CERTIFICATE, self._state / KEY)
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=SERVER_NAME
        )
        try:
            # In TLS 1.3 a client learns only afterwards that its certificate was not taken.
            return bool(await reader.read(1))
        finally:
            writer.transport.abort()
