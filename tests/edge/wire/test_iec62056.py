"""IEC 62056-21 messages: real readouts with their check characters, any split, mutations."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iec62056_21 import messages as reference

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.iec62056 import (
    BLOCK_BYTES_MAX,
    Ear,
    Identification,
    Said,
    acknowledge,
    checked,
    command,
    data_sets,
    request,
    with_parity,
    without_parity,
)
from tests.edge.wire import meter_recordings as recorded
from tests.edge.wire.cuts import PLACES


def heard(ear, stream, places=()):
    ends = sorted({min(place, len(stream)) for place in places} | {len(stream)})
    said, begin = [], 0
    for end in ends:
        said += ear.feed(stream[begin:end])
        begin = end
    return said


E350 = b"\x02" + recorded.E350 + b"\x03" + bytes([recorded.E350_BCC])
MT174 = b"\x02" + recorded.MT174 + b"\x03" + bytes([recorded.MT174_BCC])


@pytest.mark.parametrize("stream", [E350, MT174])
def test_the_check_character_of_real_readouts(stream):
    assert [one.kind for one in Ear().feed(stream)] == ["block"]


@pytest.mark.parametrize("name", recorded.CE301)
def test_the_sum_of_energomera(name):
    assert [one.kind for one in Ear("sum").feed(b"\x02" + recorded.CE301[name])] == ["block"]
    assert [one.kind for one in Ear("xor").feed(b"\x02" + recorded.CE301[name])] == ["broken"]


def test_requests_as_real_readers_send_them():
    assert request() == b"/?!\r\n"
    assert request("141628345") == b"/?141628345!\r\n"
    assert acknowledge("5") == b"\x06050\r\n"
    assert acknowledge("5", "1") == b"\x06051\r\n"
    assert command("R1", "HELLO()", "sum") == b"\x01R1\x02HELLO()\x03M"
    assert command("P1", "(777777)", "sum") == b"\x01P1\x02(777777)\x03!"
    assert command("B0", "", "xor") == b"\x01B0\x03q"
    assert command("R5", "0.9.2()", "xor") == b"\x01R5\x020.9.2()\x03\\"


@pytest.mark.parametrize(
    ("line", "mode", "baud"),
    [
        (b"/LGZ4ZMF100AC.M26", "c", 4800),
        (b"/LGZ5\\2ZMD3104407.B24", "c", 9600),
        (b"/EMH5\\@D4EM4TIIW001--", "c", 9600),
        (b"/ABCFmeter", "b", 19200),
        (b"/ABC!meter", "a", 0),
    ],
)
def test_identifications(line, mode, baud):
    who = Identification.parse(line)
    assert (who.mode("auto"), who.baud("auto"), str(who)) == (mode, baud, line.decode())


def test_what_is_no_identification():
    for line in (b"/?!", b"LGZ4", b"/L1Z4x", b"/LGZ\xff"):
        with pytest.raises(DeviceMalformed):
            Identification.parse(line)
    with pytest.raises(DeviceMalformed, match="mode b does not have"):
        Identification.parse(b"/LGZ4x").baud("b")


@given(PLACES)
def test_any_split_says_the_same(places):
    stream = b"\0\0/?!\r\n/LGZ4ZMF100AC.M26\r\n" + E350 + b"\x06\x15" + b"\x01B0\x03q"
    assert heard(Ear(), stream, places) == Ear().feed(stream)
    assert [one.kind for one in Ear().feed(stream)] == [
        "identification", "block", "acknowledged", "refused", "header",
    ]  # fmt: skip


def test_nothing_goes_on_for_ever():
    assert Ear().feed(b"/" + b"x" * 60)[0].kind == "broken"
    assert Ear().feed(b"\x02" + b"x" * (BLOCK_BYTES_MAX + 10))[0] == Said(
        "broken", b"a block does not end"
    )


def test_data_sets_however_they_are_laid_out():
    sets = {one.name: one.groups for one in data_sets(recorded.E350, closed=True)}
    assert sets["1.8.0"] == ("061561.289*kWh",)
    assert sets["C.1.1"] == ("        ",)
    old = data_sets(
        b"0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)\r\n0-1:24.4.0(1)\r\n"
    )
    assert old[0].groups[5:] == ("m3", "00001.001")
    # Energomera: named again, or not (CE102M), or without line ends in a group (CE308).
    named = data_sets(recorded.CE301[b"ET0PE()"][:-2])
    assert named[0].groups[:2] == ("16907.9477764", "11504.3875082")
    assert data_sets(recorded.CE102M[:-2])[0].groups[:3] == ("68.42", "45.54", "22.88")
    group = data_sets(b"MODEL(2C05)SNUM_(ERR12)END01(19.05.15 216.59202)(0.0)(210.37)")
    assert [one.name for one in group] == ["MODEL", "SNUM_", "END01"]


@pytest.mark.parametrize(
    "block",
    [b"1.8.0(1", b"1.8.0)1(", b"1.8.0((1)", b"(1)", b"1.8.0(\x00)", b"1.8.0(1)x", b"a/b(1)"],
)
def test_what_are_no_data_sets(block):
    with pytest.raises(DeviceMalformed):
        data_sets(block)


def test_a_readout_has_an_end():
    for block in (b"1.8.0(1)\r\n", b"1.8.0(1)\r\n!\r\n2.8.0(1)"):
        with pytest.raises(DeviceMalformed):
            data_sets(block, closed=True)


def test_parity_in_software():
    assert with_parity(b"/?!\r\n") == bytes([0xAF, 0x3F, 0x21, 0x8D, 0x0A])
    assert without_parity(with_parity(E350)) == E350
    assert without_parity(b"\x8d\x0d") == b"\r\0", "a disturbed byte is none"


@pytest.mark.parametrize(
    ("stream", "kind"),
    [(E350, "xor"), (MT174, "xor"), (b"\x02" + recorded.CE301[b"ET0PE()"], "sum")],
)
def test_mutations_never_invent_a_value(stream, kind):
    """One bit each: of garbled blocks, one in 128 would pass a check of 7 bits."""
    pick = random.Random(62056)
    told = Ear(kind).feed(stream)[0].data
    for _ in range(3400):
        at = pick.randrange(len(stream))
        bad = bytearray(stream)
        bad[at] ^= 1 << pick.randrange(8)
        for said in Ear(kind).feed(bytes(bad)):
            assert said.kind != "block" or said.data == told


def test_checked_is_of_what_follows_the_start():
    assert checked(E350[1:-1], "xor") == recorded.E350_BCC


# ---- beside iec62056-21, which we did not write
def by_reference(block):
    """Return the data sets of a block as the other library cuts them, by name."""
    found = {}
    name = ""
    for line in block.data_lines:
        for one in line.data_sets:
            name = one.address or name
            text = one.value if one.unit is None else f"{one.value}*{one.unit}"
            found.setdefault(name, []).append(text)
    return {name: tuple(texts) for name, texts in found.items()}


@pytest.mark.parametrize("stream", [E350, MT174])
def test_real_readouts_are_cut_as_another_reader_cuts_them(stream):
    theirs = by_reference(reference.ReadoutDataMessage.from_bytes(stream).data_block)
    (said,) = Ear().feed(stream)
    ours = {one.name: one.groups for one in data_sets(said.data, closed=True)}
    assert len(ours) >= 4
    assert ours == theirs


NAMES = st.from_regex(r"[0-9A-F]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)
VALUES = st.from_regex(r"[0-9A-Za-z.:-]{1,16}", fullmatch=True)
SETS = st.tuples(NAMES, VALUES, st.none() | st.sampled_from(["kWh", "V", "A", "kvarh"]))


@given(st.lists(st.lists(SETS, min_size=1, max_size=3), min_size=1, max_size=6))
def test_what_another_writer_frames_is_read(lines):
    block = reference.DataBlock(
        [reference.DataLine([reference.DataSet(*one) for one in line]) for line in lines]
    )
    (said,) = Ear().feed(reference.ReadoutDataMessage(block).to_bytes())
    assert said.kind == "block", "the check character of the other is ours"
    ours = {one.name: one.groups for one in data_sets(said.data, closed=True)}
    assert ours == by_reference(block)


@given(st.from_regex(r"[0-9A-Za-z ]{0,32}", fullmatch=True), st.sampled_from("0123456"))
def test_requests_and_acknowledgements_are_those_of_another_writer(address, speed):
    assert request(address) == reference.RequestMessage(address).to_bytes()
    for option in "01":
        theirs = reference.AckOptionSelectMessage(speed, option)
        assert acknowledge(speed, option) == theirs.to_bytes()


@given(NAMES)
def test_commands_are_those_of_another_writer(name):
    theirs = reference.CommandMessage.for_single_read(name)
    assert command("R1", f"{name}()", "xor") == theirs.to_bytes()


def test_an_identification_is_that_of_another_reader():
    line = rb"/LGZ5\2ZMD3104407.B24"
    theirs = reference.IdentificationMessage.from_bytes(line + b"\r\n")
    ours = Identification.parse(line)
    assert (ours.maker, ours.speed) == (theirs.manufacturer, theirs.switchover_baudrate_char)
    assert ours.text.endswith(theirs.identification)
