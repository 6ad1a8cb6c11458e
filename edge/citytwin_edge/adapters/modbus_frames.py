"""Modbus frames: a request to bytes, bytes to its answer, and nothing taken for one that is not.

Sans-I/O. pymodbus makes the frames and the checksums; what is added here is what a line shared by
many devices needs: an answer is searched by the unit, function and length that were asked for, one
that comes too late is thrown away, and silence is told from noise.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple, Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ReadCoilsRequest, ReadHoldingRegistersRequest
from pymodbus.pdu.bit_message import (
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin_edge.wire.fields import Table

FRAME_BYTES_MAX: Final = 260
"""Longest frame of Modbus TCP (Messaging on TCP/IP 1.0b, 4.1); on a serial line it is 256."""
_EXCEPTION: Final = 0x80
_HEADER_BYTES: Final = 6
_LATE_MAX: Final = 64
ILLEGAL_ADDRESS: Final = 2
_GATEWAY_CODES: Final = {10, 11}
_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value (is a request longer than the device takes? see block_registers)",
    4: "device failure",
    5: "acknowledged, still busy",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target gave no answer",
}
_READS: Final = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}


class Refused(DeviceRefused):
    """The device answered with an exception; ``code`` is its number."""

    def __init__(self, unit: int, code: int) -> None:
        super().__init__(f"unit {unit} answered exception {code}: {exception_text(code)}")
        self.code = code


class Request(NamedTuple):
    """What to ask and what an answer looks like.

    Attributes:
        pdu: function code and data.
        head: how the answer's PDU begins.
        size: length of the answer's PDU in bytes.
    """

    pdu: bytes
    head: bytes
    size: int


def exception_text(code: int) -> str:
    """Return what an exception code means (Application Protocol 1.1b3, 7)."""
    return _EXCEPTIONS.get(code, "unknown")


def read_request(table: Table, start: int, count: int) -> Request:
    """Return the request for ``count`` bits or registers."""
    message = _READS[table](address=start, count=count)
    data_bytes = (count + 7) // 8 if table.of_bits else 2 * count
    function = bytes([message.function_code])
    return Request(function + message.encode(), function + bytes([data_bytes]), 2 + data_bytes)


def write_request(table: Table, start: int, data: bytes, *, multiple: bool = False) -> Request:
    """Return the request that writes one coil (data is one byte, 0 or 1) or whole registers.

    Args:
        table: coil or holding.
        start: protocol address.
        data: as :func:`citytwin_edge.wire.registers.encode` gives it.
        multiple: use functions 15 and 16 even for a single one.

    Raises:
        DeviceRefused: the table cannot be written.
    """
    if table not in {Table.COIL, Table.HOLDING}:
        raise DeviceRefused(f"a point of table {table} cannot be written")
    message: (
        WriteMultipleCoilsRequest
        | WriteSingleCoilRequest
        | WriteMultipleRegistersRequest
        | WriteSingleRegisterRequest
    )
    if table is Table.COIL:
        one = [bool(data[0])]
        kind = WriteMultipleCoilsRequest if multiple else WriteSingleCoilRequest
        message = kind(address=start, bits=one)
    else:
        registers = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        if multiple or len(registers) > 1:
            message = WriteMultipleRegistersRequest(address=start, registers=registers)
        else:
            message = WriteSingleRegisterRequest(address=start, registers=registers)
    pdu = bytes([message.function_code]) + message.encode()
    return Request(pdu, pdu[:5], 5)


class Framing(Protocol):
    """Turns requests into frames and received bytes into the one answer that is awaited.

    Each request goes begin, feed… and, when time is up, give_up; feed may come at any other time.
    """

    def begin(self, unit: int, request: Request) -> bytes:
        """Forget received bytes and return the frame to send."""
        ...

    def feed(self, data: bytes) -> bytes | None:
        """Take received bytes and return the answer's PDU, or None while it is not there.

        Raises:
            DeviceMalformed: what came cannot become the answer.
            DeviceSilent: a converter says that the device behind it is silent.
            Refused: the device answered with an exception.
        """
        ...

    def give_up(self) -> DeviceError:
        """Stop waiting: return what to raise, silence or noise."""
        ...

    def reset(self) -> None:
        """Begin a new connection."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the beginning of the next frame can no longer be found: connect anew."""
        ...


def checked(unit: int, request: Request, pdu: bytes) -> bytes:
    """Return the PDU if it answers the request.

    Raises:
        Refused, DeviceSilent: it is an exception.
        DeviceMalformed: it is none of both.
    """
    if len(pdu) == request.size and pdu.startswith(request.head):
        return pdu
    if len(pdu) >= 2 and pdu[0] == request.pdu[0] | _EXCEPTION:
        raise _exception(unit, pdu[1])
    raise DeviceMalformed(
        f"unit {unit} answered {len(pdu)} bytes beginning {pdu[:8].hex(' ')} where {request.size} "
        f"beginning {request.head.hex(' ')} belong"
    )


def _exception(unit: int, code: int) -> DeviceError:
    if code in _GATEWAY_CODES:
        return DeviceSilent(f"the converter before unit {unit} says: {exception_text(code)}")
    return Refused(unit, code)


class TcpFraming:
    """Modbus TCP: transaction ids tell answers apart."""

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._transaction = 0
        self._awaited = 0  # no transaction has this number
        self._late: deque[int] = deque(maxlen=_LATE_MAX)
        self._buffer = b""
        self._unit = 0
        self._request = Request(b"", b"", 0)
        self._foreign = ""
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the stream of frames is out of step."""
        return self._lost

    def begin(self, unit: int, request: Request) -> bytes:
        """Return the frame to send; bytes of an unfinished late answer are kept for the step."""
        self._transaction = self._awaited = self._transaction % 0xFFFF + 1
        self._unit, self._request, self._foreign = unit, request, ""
        return self._framer.encode(request.pdu, unit, self._transaction)

    def reset(self) -> None:
        """Begin a new connection."""
        self._buffer, self._lost = b"", False
        self._late.clear()

    def feed(self, data: bytes) -> bytes | None:
        """Return the answer's PDU, or None; see Framing."""
        self._buffer += data
        while len(self._buffer) >= _HEADER_BYTES + 2:
            length = int.from_bytes(self._buffer[4:6], "big")
            if self._buffer[2:4] != b"\0\0" or not 2 <= length <= FRAME_BYTES_MAX - _HEADER_BYTES:
                self._lost = True
                raise DeviceMalformed(
                    f"what came for unit {self._unit} is not Modbus TCP: "
                    f"{self._buffer[:12].hex(' ')}"
                )
            used, unit, transaction, pdu = self._framer.decode(self._buffer)
            if not used:
                return None
            self._buffer = self._buffer[used:]
            if transaction != self._awaited:
                if transaction not in self._late:
                    self._foreign = f"transaction {transaction}, not {self._transaction}"
                continue
            self._awaited = 0
            if unit != self._unit:
                raise DeviceMalformed(f"unit {unit} answered in place of unit {self._unit}")
            return checked(unit, self._request, pdu)
        return None

    def give_up(self) -> DeviceError:
        """Return what a time-out means, and remember the transaction: it may still come."""
        self._late.append(self._transaction)
        self._awaited = 0
        if self._foreign:
            return DeviceMalformed(f"unit {self._unit} answered with {self._foreign}")
        if self._buffer:
            self._lost = True
            return DeviceMalformed(
                f"the answer of unit {self._unit} broke off after {len(self._buffer)} bytes"
            )
        return DeviceSilent(f"unit {self._unit} gave no answer in time")


class RtuFraming:
    """Modbus RTU, on a serial line or inside TCP: the checksum tells answers from noise.

    There are no transaction ids: the line must not ask a unit the same again while its late answer
    may still come.
    """

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._buffer = b""
        self._unit = 0
        self._request = Request(b"", b"", 0)
        self._silent: set[int] = set()

    @property
    def lost(self) -> bool:
        """Never: the next answer is found by its checksum."""
        return False

    def begin(self, unit: int, request: Request) -> bytes:
        """Forget received bytes and return the frame to send."""
        self._buffer = b""
        self._unit, self._request = unit, request
        return self._framer.encode(request.pdu, unit, 0)

    def reset(self) -> None:
        """Begin a new connection."""
        self._buffer = b""

    def feed(self, data: bytes) -> bytes | None:
        """Return the answer's PDU, or None; see Framing."""
        self._buffer = (self._buffer + data)[-2 * FRAME_BYTES_MAX :]
        start = self._buffer.find(self._unit)
        while start >= 0:
            pdu = self._pdu_at(start)
            if pdu is not None:
                self._silent.discard(self._unit)
                return checked(self._unit, self._request, pdu)
            start = self._buffer.find(self._unit, start + 1)
        self._refuse_broken()
        return None

    def _pdu_at(self, start: int) -> bytes | None:
        """Return the PDU of a whole frame that begins there and may be the answer."""
        frame = memoryview(self._buffer)[start:]
        function = self._request.pdu[0]
        if len(frame) < 2 or frame[1] & ~_EXCEPTION != function:
            return None
        if frame[1] & _EXCEPTION:
            size = 1 + 2 + 2
        elif frame[1 : 1 + len(self._request.head)] == self._request.head:
            size = 1 + self._request.size + 2
        else:
            return None
        if len(frame) < size or not _sound(bytes(frame[:size])):
            return None
        return bytes(frame[1 : size - 2])

    def _refuse_broken(self) -> None:
        """Raise when the answer came in full length and its checksum is wrong."""
        head = bytes([self._unit]) + self._request.head
        if len(self._buffer) >= self._request.size + 3 and self._buffer.startswith(head):
            raise DeviceMalformed(f"the checksum of unit {self._unit}'s answer is wrong")

    def give_up(self) -> DeviceError:
        """Return what a time-out means."""
        known_late = bool(self._buffer) and self._buffer[0] in self._silent
        self._silent.add(self._unit)
        if self._buffer and not known_late:
            return DeviceMalformed(
                f"no answer of unit {self._unit} in the {len(self._buffer)} bytes that came: "
                f"{self._buffer[:16].hex(' ')}"
            )
        return DeviceSilent(f"unit {self._unit} gave no answer in time")


def _sound(frame: bytes) -> bool:
    return FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))
