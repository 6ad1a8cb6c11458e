"""Telegrams for tests: how they are decoded, and 10,000 of them with bytes changed."""

import math
from random import Random
from typing import Any

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.adverts import Section, address_bytes

MUTATIONS = 10_000
NOBODY = "00:00:00:00:00:00"


def numbers(telegram):
    """Return the values of a telegram as numbers and texts."""
    return {name: told.text or told.value for name, told in telegram.values.items()}


def decoded(form, section, address=NOBODY, key=b"") -> Any:
    """Decode one section afresh; None where it says nothing."""
    return form.decoder(address_bytes(address), key).decode(section)


def decoder_of(form, address, key=b"") -> Any:
    """Return a decoder that keeps what it must between telegrams."""
    return form.decoder(address_bytes(address), key)


def service(number, data):
    return Section("service", number, bytes.fromhex(data) if isinstance(data, str) else data)


def company(number, data):
    return Section("company", number, bytes.fromhex(data) if isinstance(data, str) else data)


def mutated(sections, seed=0, count=MUTATIONS):
    """Yield (original, changed): bytes set, put in, taken out or exchanged, always different."""
    random = Random(seed)
    for _ in range(count):
        section = random.choice(sections)
        data = bytearray(section.data)
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(data))
            match random.randrange(4):
                case 0:
                    data[place] ^= 1 << random.randrange(8)
                case 1:
                    data[place] = random.randrange(256)
                case 2:
                    data.insert(place, random.randrange(256))
                case _ if len(data) > 1:
                    del data[place]
        if bytes(data) != section.data:
            yield section, section._replace(data=bytes(data))


def check_ranges(form, sections, address=NOBODY):
    """Prove that changed telegrams give nothing but values that the format can have.

    Returns how many were refused and how many gave values.
    """
    refused = taken = 0
    for _, changed in mutated(sections):
        try:
            telegram = decoded(form, changed, address)
        except DeviceMalformed:
            refused += 1
            continue
        if telegram is None:
            continue
        taken += 1
        for name, told in telegram.values.items():
            quantity = form.quantity(name)
            if told.quality == Quality.GOOD:
                assert quantity.low <= told.value <= quantity.high, (name, told, changed)
            else:
                assert math.isnan(told.value), (name, told, changed)
    return refused, taken


def check_sealed(form, sections, address, key):
    """Prove that of changed encrypted telegrams none gives a value that was not sent.

    What is changed where the check covers nothing must give what was sent.
    """
    refused = 0
    for original, changed in mutated(sections):
        try:
            telegram = decoded(form, changed, address, key)
        except DeviceMalformed:
            refused += 1
            continue
        if telegram is not None:
            assert telegram == decoded(form, original, address, key), changed
    return refused
