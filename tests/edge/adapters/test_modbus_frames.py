"""Modbus frames: the right answer is found, nothing else is taken for it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin_edge.adapters.modbus_frames import (
    Refused,
    RtuFraming,
    TcpFraming,
    read_request,
    write_request,
)
from citytwin_edge.wire.fields import Table
from tests.edge.modbus_devices import mbap, registers, rtu

READ = read_request(Table.HOLDING, 0x0102, 3)
ANSWER = bytes.fromhex("03 06 0001 0002 0003")


@pytest.mark.parametrize(
    ("table", "pdu", "head", "size"),
    [
        (Table.COIL, "01 0005 000a", "01 02", 4),
        (Table.DISCRETE, "02 0005 000a", "02 02", 4),
        (Table.HOLDING, "03 0005 000a", "03 14", 22),
        (Table.INPUT, "04 0005 000a", "04 14", 22),
    ],
)
def test_read_requests(table: Table, pdu: str, head: str, size: int) -> None:
    request = read_request(table, 5, 10)
    assert (request.pdu, request.head, request.size) == (
        bytes.fromhex(pdu),
        bytes.fromhex(head),
        size,
    )


@pytest.mark.parametrize(
    ("table", "data", "multiple", "pdu"),
    [
        (Table.COIL, "01", False, "05 0005 ff00"),
        (Table.COIL, "00", False, "05 0005 0000"),
        (Table.COIL, "01", True, "0f 0005 0001 01 01"),
        (Table.HOLDING, "abcd", False, "06 0005 abcd"),
        (Table.HOLDING, "abcd", True, "10 0005 0001 02 abcd"),
        (Table.HOLDING, "abcd0123", False, "10 0005 0002 04 abcd 0123"),
    ],
)
def test_write_requests(table: Table, data: str, multiple: bool, pdu: str) -> None:
    request = write_request(table, 5, bytes.fromhex(data), multiple=multiple)
    assert request.pdu == bytes.fromhex(pdu)
    assert request.head == request.pdu[:5]
    assert request.size == 5


@pytest.mark.parametrize("table", [Table.INPUT, Table.DISCRETE])
def test_some_tables_cannot_be_written(table: Table) -> None:
    with pytest.raises(DeviceRefused, match=f"table {table} cannot be written"):
        write_request(table, 5, b"\1")


class TestTcp:
    def test_the_frame(self) -> None:
        framing = TcpFraming()
        assert framing.begin(17, READ).hex(" ", 2) == "0001 0000 0006 1103 0102 0003"
        assert framing.begin(17, READ)[:2] == b"\0\2"

    def test_transactions_never_are_zero(self) -> None:
        framing = TcpFraming()
        seen = {framing.begin(1, READ)[:2] for _ in range(70_000)}
        assert len(seen) == 65_535
        assert b"\0\0" not in seen

    def test_an_answer_byte_by_byte(self) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        answers = [framing.feed(bytes([byte])) for byte in mbap(1, 1, ANSWER)]
        assert answers[-1] == ANSWER
        assert not any(answers[:-1])

    def test_a_late_answer_is_thrown_away(self) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        assert isinstance(framing.give_up(), DeviceSilent)
        framing.begin(1, READ)
        late = mbap(1, 1, registers(READ.pdu, 9))
        assert framing.feed(late[:5]) is None
        assert framing.feed(late[5:] + mbap(2, 1, ANSWER)) == ANSWER
        framing.begin(1, READ)
        framing.feed(late)
        assert isinstance(framing.give_up(), DeviceSilent), "late is not wrong"

    def test_an_answer_that_comes_twice_is_thrown_away(self) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        assert framing.feed(mbap(1, 1, ANSWER) * 2) == ANSWER
        for _ in range(1000):
            assert framing.feed(mbap(1, 1, ANSWER)) is None
        framing.begin(1, READ)
        assert framing.feed(mbap(2, 1, registers(READ.pdu, 5))) == registers(READ.pdu, 5)
        assert len(framing._buffer) == 0

    def test_a_foreign_transaction_is_malformed_when_time_is_up(self) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        assert framing.feed(mbap(77, 1, ANSWER)) is None
        error = framing.give_up()
        assert isinstance(error, DeviceMalformed)
        assert str(error) == "unit 1 answered with transaction 77, not 1"

    @pytest.mark.parametrize(
        ("frame", "says"),
        [
            (mbap(1, 2, ANSWER), "unit 2 answered in place of unit 1"),
            (mbap(1, 1, ANSWER[:-1]), "answered 7 bytes beginning 03 06"),
            (mbap(1, 1, b"\4" + ANSWER[1:]), "beginning 04 06"),
            (mbap(1, 1, b"\x03\x04" + ANSWER[2:]), "beginning 03 04"),
        ],
    )
    def test_an_answer_that_is_none(self, frame: bytes, says: str) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        with pytest.raises(DeviceMalformed, match=says):
            framing.feed(frame)
        assert not framing.lost

    @pytest.mark.parametrize(
        "noise", [b"GET / HTTP/1.1\r\n", bytes.fromhex("0001 0000 ffff 01 03 00"), b"\0" * 9]
    )
    def test_noise_loses_the_step(self, noise: bytes) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        with pytest.raises(DeviceMalformed, match="is not Modbus TCP"):
            framing.feed(noise)
        assert framing.lost
        framing.reset()
        assert not framing.lost

    def test_exceptions(self) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        with pytest.raises(Refused, match="unit 1 answered exception 2: illegal data address") as e:
            framing.feed(mbap(1, 1, b"\x83\x02"))
        assert e.value.code == 2
        for code in (10, 11):
            frame = framing.begin(1, READ)
            with pytest.raises(DeviceSilent, match="the converter before unit 1 says: gateway"):
                framing.feed(mbap(frame[1], 1, bytes([0x83, code])))

    @given(st.lists(st.binary(max_size=40), max_size=20))
    def test_no_bytes_do_harm(self, pieces: list[bytes]) -> None:
        framing = TcpFraming()
        framing.begin(1, READ)
        for piece in pieces:
            with contextlib.suppress(DeviceError):
                assert framing.feed(piece) in {None, ANSWER}
            if framing.lost:
                framing.reset()
        assert len(framing._buffer) <= 300


class TestRtu:
    def test_the_frame(self) -> None:
        # The example of Modbus over Serial Line 1.02, appendix B, has this checksum for 02 07.
        assert rtu(0x02, b"\x07").hex() == "02074112"
        assert RtuFraming().begin(17, READ) == rtu(17, READ.pdu)

    @given(st.binary(max_size=60), st.integers(1, 9))
    def test_the_answer_is_found_behind_noise(self, noise: bytes, piece: int) -> None:
        framing = RtuFraming()
        framing.begin(0x11, READ)
        data = noise.replace(b"\x11", b"") + rtu(0x11, ANSWER)
        answers = [framing.feed(data[at : at + piece]) for at in range(0, len(data), piece)]
        assert answers[-1] == ANSWER
        assert not any(answers[:-1])

    @given(st.integers(0, 8 * len(rtu(0x11, ANSWER)) - 1))
    def test_no_flipped_bit_passes(self, place: int) -> None:
        framing = RtuFraming()
        framing.begin(0x11, READ)
        frame = bytearray(rtu(0x11, ANSWER))
        frame[place // 8] ^= 1 << place % 8
        with contextlib.suppress(DeviceMalformed):
            assert framing.feed(bytes(frame)) is None
            assert isinstance(framing.give_up(), DeviceMalformed)

    def test_a_wrong_checksum_is_known_at_once(self) -> None:
        framing = RtuFraming()
        framing.begin(0x11, READ)
        with pytest.raises(DeviceMalformed, match="the checksum of unit 17's answer is wrong"):
            framing.feed(rtu(0x11, ANSWER)[:-1] + b"\0")
        assert not framing.lost

    def test_the_late_answer_of_another_unit_passes_by(self) -> None:
        framing = RtuFraming()
        framing.begin(5, READ)
        assert isinstance(framing.give_up(), DeviceSilent)
        framing.begin(6, READ)
        assert framing.feed(rtu(5, registers(READ.pdu, 9)) + rtu(6, ANSWER)) == ANSWER
        framing.begin(7, READ)
        assert framing.feed(rtu(5, registers(READ.pdu, 9))) is None
        assert isinstance(framing.give_up(), DeviceSilent), "unit 5 was late, unit 7 is silent"

    def test_another_unit_in_place_of_the_one_asked(self) -> None:
        framing = RtuFraming()
        framing.begin(6, READ)
        assert framing.feed(rtu(5, ANSWER)) is None
        error = framing.give_up()
        assert isinstance(error, DeviceMalformed)
        assert "no answer of unit 6 in the 11 bytes that came: 05 03 06" in str(error)

    def test_what_came_before_the_request_is_forgotten(self) -> None:
        framing = RtuFraming()
        framing.begin(5, READ)
        framing.give_up()
        framing.feed(rtu(5, registers(READ.pdu, 9)))
        framing.begin(5, READ)
        assert framing.feed(b"") is None
        assert framing.feed(rtu(5, ANSWER)) == ANSWER

    def test_exceptions(self) -> None:
        framing = RtuFraming()
        framing.begin(5, READ)
        with pytest.raises(Refused) as caught:
            framing.feed(rtu(5, b"\x83\x02"))
        assert caught.value.code == 2

    def test_an_answer_to_a_write_must_name_what_was_written(self) -> None:
        framing = RtuFraming()
        request = write_request(Table.HOLDING, 5, b"\xab\xcd")
        framing.begin(5, request)
        assert framing.feed(rtu(5, b"\x06\x00\x05\xab\xce")) is None
        assert framing.feed(rtu(5, request.pdu)) == request.pdu

    @given(st.lists(st.binary(max_size=300), max_size=20))
    def test_no_bytes_do_harm(self, pieces: list[bytes]) -> None:
        framing = RtuFraming()
        framing.begin(1, READ)
        for piece in pieces:
            with contextlib.suppress(DeviceError):
                framing.feed(piece)
        assert len(framing._buffer) <= 520
