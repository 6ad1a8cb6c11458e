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
from citytwin.reasons import Reason
from citytwin_edge.enrol import CERTIFICATE, KEY, Identity
from citytwin_edge.gateway import split_address
from citytwin_protos.transport import SERVER_NAME, Line, open_exchange

CONNECT_S_MAX: Final = 10.0
DIAGNOSIS_S_MAX: Final = 5.0

SILENT: Final = Reason(
    "{where} does not answer: it is off, or something is in between",
    "{where} жауап бермейді: өшірулі немесе арада кедергі бар",
    "{where} не отвечает: выключен, или что-то мешает на пути",
)
OTHER_HUB: Final = Reason(
    "{where} is not the hub that this gateway was enrolled at ({why}); check the address, or enrol "
    "again",
    "{where} — бұл шлюз қосылған хаб емес ({why}); мекенжайды тексеріңіз немесе қайта қосыңыз",
    "{where} — не тот хаб, к которому подключён шлюз ({why}); проверьте адрес или подключите снова",
)
NO_TLS: Final = Reason(
    "{where} speaks no TLS; is this the port of the hub's link?",
    "{where} TLS хаттамасын білмейді; бұл хабтың байланыс порты ма?",
    "{where} не говорит по TLS; это порт связи хаба?",
)
NO_NAME: Final = Reason(
    "the name {host} is not known; is the name service in reach?",
    "{host} атауы белгісіз; атаулар қызметі қолжетімді ме?",
    "имя {host} неизвестно; доступна ли служба имён?",
)
NOBODY: Final = Reason(
    "nothing listens at {where}; is the hub running there?",
    "{where} мекенжайында ешкім тыңдамайды; хаб сонда іске қосылған ба?",
    "по адресу {where} никто не слушает; запущен ли там хаб?",
)
NO_WAY: Final = Reason(
    "{where} cannot be reached: {why}",
    "{where} мекенжайына жету мүмкін емес: {why}",
    "{where} недоступен: {why}",
)
UNWANTED: Final = Reason(
    "{where} refuses this gateway's certificate: it is of another hub, or has expired; enrol again",
    "{where} бұл шлюздің сертификатын қабылдамайды: ол басқа хабтікі немесе мерзімі біткен; қайта "
    "қосыңыз",
    "{where} не принимает сертификат шлюза: он от другого хаба или истёк; подключите снова",
)
REASONS: Final = (SILENT, OTHER_HUB, NO_TLS, NO_NAME, NOBODY, NO_WAY, UNWANTED)


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
            found = await self.diagnosed()
            raise (error if found is None else found) from None

    async def diagnosed(self) -> CityTwinError | None:
        """Shake hands once; return why there is no line, None when all is in order.

        LineClosed: later it may be; EnrolmentError: one side refuses the other's certificate.
        """
        host, port = split_address(self.address, 0)
        where = self.address
        try:
            async with asyncio.timeout(DIAGNOSIS_S_MAX):
                heard = await self._shaken_hands(host, port)
        except TimeoutError:
            return LineClosed(SILENT.said(where=where))
        except ssl.SSLCertVerificationError as error:
            return EnrolmentError(OTHER_HUB.said(where=where, why=error.verify_message))
        except ssl.SSLError:
            return LineClosed(NO_TLS.said(where=where))
        except socket.gaierror:
            return LineClosed(NO_NAME.said(host=host))
        except ConnectionRefusedError:
            return LineClosed(NOBODY.said(where=where))
        except OSError as error:
            return LineClosed(NO_WAY.said(where=where, why=error.strerror or error))
        return None if heard else EnrolmentError(UNWANTED.said(where=where))

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
