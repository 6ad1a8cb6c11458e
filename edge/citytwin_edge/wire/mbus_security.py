"""M-Bus security: decrypts what a meter has encrypted with its own key, and proves who sent it.

Security modes 5 (AES-128-CBC, start vector of the meter's address) and 7 (AES-128-CBC with a key
of its own for each message), and the encryption of the extended link layer (AES-128-CTR).
Source: EN 13757-7:2018, 7.6.4 to 7.6.6 and 9.5; OMS specification volume 2, issue 4, chapter 9.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed

BLOCK: Final = 16
CHECK: Final = b"\x2f\x2f"
"""What decrypted data must begin with."""
KEY_BYTES: Final = 16
_MODE_MAX: Final = 15
"""Above are none: on the wire, meters from before 2013 have a signature there that is not used."""
NO_KEY: Final = "the telegram is encrypted (security mode {}): give the meter's key"
WRONG_KEY: Final = "the key is not the meter's, or the telegram is damaged"


class Config(NamedTuple):
    """What a header says of its encryption.

    Attributes:
        mode: 0 none, 5, 7; see EN 13757-7, table 20.
        blocks: how many blocks of 16 bytes are encrypted, in modes 5 and 7.
        derivation: in mode 7, how the message's key is derived; 1 is the only one there is.
    """

    mode: int = 0
    blocks: int = 0
    derivation: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether nothing is encrypted."""
        return not self.mode or (self.mode in (5, 7) and not self.blocks)


def config_of(word: int, extension: int = 0, *, is_radio: bool = False) -> Config:
    """Return what the configuration field, and in mode 7 the byte behind it, say."""
    mode = word >> 8 & 0x1F
    if mode > _MODE_MAX:
        if not is_radio:
            return Config()
        mode &= _MODE_MAX  # OMS before issue 4 had another use for that bit
    return Config(mode, word >> 4 & 0x0F if mode in (5, 7) else 0, extension >> 4 & 3)


class Sender(NamedTuple):
    """What keys and start vectors are made of.

    Attributes:
        address: manufacturer (2 bytes), identification (4), version, medium: as a meter's radio
            sends it.
        access: its access number.
        counter: the message counter of the authentication layer; empty where there was none.
    """

    address: bytes
    access: int
    counter: bytes = b""


def decrypt(config: Config, data: bytes, key: bytes, sender: Sender) -> bytes:
    """Return a telegram's data in clear.

    Raises:
        DeviceMalformed: there is no key, it is another's, or the mode is none that is known.
    """
    if config.is_clear:
        return data
    if config.mode not in (5, 7):
        raise DeviceMalformed(f"security mode {config.mode} is not supported; 5 and 7 are")
    if not key:
        raise DeviceMalformed(NO_KEY.format(config.mode))
    if config.mode == 7 and config.derivation != 1:
        raise DeviceMalformed(f"key derivation {config.derivation} of security mode 7 is unknown")
    size = config.blocks * BLOCK
    if len(data) < size:
        raise DeviceMalformed(f"{size} bytes should be encrypted, but there are {len(data)}")
    if config.mode == 5:
        start, own = sender.address + bytes([sender.access]) * 8, key
    else:
        start, own = bytes(BLOCK), derived(key, sender, 0x00)
    clear = cbc(own, start, data[:size])
    if not clear.startswith(CHECK):
        raise DeviceMalformed(WRONG_KEY)
    return clear + data[size:]


def derived(key: bytes, sender: Sender, use: int) -> bytes:
    """Return the key of one message (EN 13757-7, 9.5.2).

    Args:
        key: the meter's.
        sender: with the message's counter.
        use: 0 to encrypt what a meter sends, 1 to authenticate it.

    Raises:
        DeviceMalformed: the message has no counter.
    """
    if len(sender.counter) != 4:
        raise DeviceMalformed("security mode 7 needs a message counter, and there is none")
    return mac(key, bytes([use]) + sender.counter + sender.address[2:6] + b"\x07" * 7)


def check_mac(key: bytes, sender: Sender, covered: bytes, said: bytes) -> None:
    """Refuse a message that was not made with the meter's key.

    Raises:
        DeviceMalformed: its authentication code is wrong.
    """
    if not hmac.compare_digest(mac(derived(key, sender, 0x01), covered)[: len(said)], said):
        raise DeviceMalformed(f"the authentication code is wrong: {WRONG_KEY}")


def mac(key: bytes, data: bytes) -> bytes:
    """Return the AES-CMAC (RFC 4493)."""
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128
    from cryptography.hazmat.primitives.cmac import CMAC

    maker = CMAC(AES128(key))
    maker.update(data)
    return maker.finalize()


def cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Return whole blocks in clear (AES-128-CBC)."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    maker = Cipher(AES128(key), CBC(start)).decryptor()
    return maker.update(data) + maker.finalize()


def ctr(key: bytes, start: bytes, data: bytes) -> bytes:
    """Return data in clear (AES-128-CTR), as the extended link layer has it."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128
    from cryptography.hazmat.primitives.ciphers.modes import CTR

    maker = Cipher(AES128(key), CTR(start)).decryptor()
    return maker.update(data) + maker.finalize()
