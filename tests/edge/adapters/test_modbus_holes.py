"""Modbus devices with holes: what is refused is found, split and remembered; a time-out is not."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from citytwin import SystemClock
from citytwin.adapter import Site
from citytwin.errors import DeviceRefused
from citytwin.quality import Quality
from tests.edge.modbus_devices import (
    Peer,
    build,
    device,
    holding,
    mbap,
    new_site,
    opened,
    registers,
    tcp_server,
)


class TestIllegalAddresses:
    @staticmethod
    def counting(
        stretches: Sequence[tuple[int, Sequence[int]]], asked: list[tuple[int, int]]
    ) -> Any:
        async def count(function: int, start: int, address: int, amount: int, *_: Any) -> None:
            asked.append((address, amount))

        return device(1, stretches, action=count)

    async def test_a_gap_that_cannot_be_read_is_remembered(self) -> None:
        unit = device(1, [(0, range(10)), (20, range(10))])
        points = holding(*range(10), *range(20, 30))
        async with tcp_server(unit) as port:
            async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
                assert adapter.requests == 1
                for _ in range(2):
                    batch = await adapter.read()
                    assert batch.value.tolist() == [*range(10), *range(10)]
                    assert not batch.quality.any()
                    assert adapter.requests == 2

    async def test_what_was_refused_is_asked_no_more(self) -> None:
        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            start, count = struct.unpack(">HH", pdu[1:5])
            missing = {13, 14, 47} & set(range(start, start + count))
            answer = bytes([pdu[0] | 0x80, 2]) if missing else registers(pdu)
            return [mbap(transaction, unit, answer)]

        peer = Peer(respond)
        async with peer.on_tcp() as port:
            there = {"host": "127.0.0.1", "port": port}
            async with opened(build(new_site(), holding(*range(100)), **there)) as adapter:
                for _ in range(6):
                    batch = await adapter.read()
                    bad = np.flatnonzero(batch.quality == Quality.BAD_REFUSED).tolist()
                    assert bad == [13, 14, 47]
                    assert np.isnan(batch.value).sum() == 3
                    assert (batch.value[batch.quality == 0] == 7).all()
                peer.asked.clear()
                await adapter.read()
        assert adapter.requests == len(peer.asked)
        for start, count in (struct.unpack(">HH", pdu[1:5]) for _, pdu in peer.asked):
            assert not {13, 14, 47} & set(range(start, start + count))
        assert len(peer.asked) == 3

    async def test_coils_are_put_together_from_any_bit(self) -> None:
        truth = {address: address % 3 == 0 for address in range(40) if address not in {5, 22}}

        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            start, count = struct.unpack(">HH", pdu[1:5])
            asked = range(start, start + count)
            if not truth.keys() >= set(asked):
                return [mbap(transaction, unit, bytes([0x81, 2]))]
            packed = sum(truth[address] << place for place, address in enumerate(asked))
            data = packed.to_bytes((count + 7) // 8, "little")
            return [mbap(transaction, unit, bytes([1, len(data)]) + data)]

        points = [{"table": "coil", "address": address} for address in range(40)]
        async with Peer(respond).on_tcp() as port:
            async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
                for _ in range(3):
                    batch = await adapter.read()
                    assert [i for i in range(40) if batch.quality[i]] == [5, 22]
                    assert all(batch.value[address] == value for address, value in truth.items())

    async def test_a_device_that_takes_short_requests_only(self) -> None:
        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            short = int.from_bytes(pdu[3:5], "big") <= 30
            answer = registers(pdu) if short else bytes([pdu[0] | 0x80, 2])
            return [mbap(transaction, unit, answer)]

        peer = Peer(respond)
        async with peer.on_tcp() as port:
            there = {"host": "127.0.0.1", "port": port}
            async with opened(build(new_site(), holding(*range(100)), **there)) as adapter:
                for _ in range(3):
                    batch = await adapter.read()
                    assert (batch.value == 7).all()
                    assert not batch.quality.any()
                assert adapter.requests == 4

    async def test_a_device_that_refuses_everything_is_asked_again(self) -> None:
        answers = [True]

        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            refused = bytes([pdu[0] | 0x80, 2])
            return [mbap(transaction, unit, refused if answers[0] else registers(pdu))]

        async with Peer(respond).on_tcp() as port:
            there = {"host": "127.0.0.1", "port": port}
            async with opened(build(new_site(), holding(*range(8)), **there)) as adapter:
                with pytest.raises(DeviceRefused, match="exception 2: illegal data address"):
                    await adapter.read()
                answers[0] = False
                assert (await adapter.read()).value.tolist() == [7] * 8
                assert adapter.requests == 1

    async def test_a_time_out_teaches_nothing(self) -> None:
        mute = [True]

        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            late = mute[0] and pdu[1:3] == b"\0\x64"
            return [] if late else [mbap(transaction, unit, registers(pdu))]

        peer = Peer(respond)
        async with peer.on_tcp() as port:
            there = {"host": "127.0.0.1", "port": port, "reply_timeout_s": 0.1}
            async with opened(build(new_site(), holding(0, 100, 200), **there)) as adapter:
                batch = await adapter.read()
                silent = Quality.BAD_SILENT
                assert batch.quality.tolist() == [0, silent, silent]
                assert len(peer.asked) == 2, "a unit that fell silent is not asked on"
                mute[0] = False
                assert not (await adapter.read()).quality.any()
                assert adapter.requests == 3


async def test_a_text_that_cannot_be_read_is_no_text() -> None:
    unit = device(1, [(0, [7]), (500, [0x6869])])
    points = [
        *holding(0),
        *holding(300, type="string", length=2),
        *holding(500, type="string", length=1),
    ]
    texts: list[str] = []

    def intern(text: str) -> int:
        texts.append(text)
        return len(texts)

    async with tcp_server(unit) as port:
        site = Site(SystemClock(), intern)
        async with opened(build(site, points, host="127.0.0.1", port=port)) as adapter:
            for _ in range(2):
                batch = await adapter.read()
                assert batch.quality.tolist() == [Quality.GOOD, Quality.BAD_REFUSED, Quality.GOOD]
                assert np.isnan(batch.value[1])
                assert set(texts) == {"hi"}
