"""The error tree: every failure CityTwin reports on purpose, from one root.

::

    CityTwinError                 anything this project raises on purpose
    ├── ConfigError               a configuration file is wrong: names file, line, field
    ├── IdentityError             a name or id breaks the rules of citytwin.identity
    ├── UnitError                 a unit code is not one that CityTwin knows
    ├── BatchError                columns of a Batch do not fit together
    ├── WireError                 bytes from outside cannot be understood
    │   ├── MalformedError        broken, truncated or mutated
    │   └── TooLargeError         over a stated limit
    ├── DeviceError               a field device did not do what was asked
    │   ├── DeviceSilent          no answer in time
    │   ├── DeviceMalformed       an answer that is not one (checksum, length, foreign id)
    │   └── DeviceRefused         the device answered "no" (a Modbus exception, say)
    ├── LineClosed                the line to the other end is closed or lost
    ├── CommandError              a command may not be carried out; the reason is for people
    ├── EnrolmentError            a gateway may not join or may no longer connect
    └── StoreError                a durable store cannot keep its promise
        ├── StoreFull             its limit in bytes is reached
        └── StoreLimit            more was asked for than one answer holds
"""

from __future__ import annotations


class CityTwinError(Exception):
    """Root of every error raised on purpose; its text is one sentence for a person."""


class ConfigError(CityTwinError):
    """A configuration file is wrong; the text names file, line, field and what is allowed."""


class InputError(ConfigError):
    """An input of a kernel is not what it reads; the gateway adds where that is written.

    Attributes:
        number: its place in ``inputs``, from 0.
    """

    def __init__(self, message: str, number: int) -> None:
        """Say what is wrong with which input."""
        super().__init__(message)
        self.number = number


class IdentityError(CityTwinError):
    """A name or id breaks the rules of :mod:`citytwin.identity`."""


class UnitError(CityTwinError):
    """A unit code is not one that CityTwin knows."""


class BatchError(CityTwinError):
    """The columns of a batch do not fit together."""


class WireError(CityTwinError):
    """Bytes from outside cannot be understood."""


class MalformedError(WireError):
    """The bytes are broken, truncated or mutated."""


class TooLargeError(WireError):
    """The bytes, or what they unpack to, are over a stated limit."""


class DeviceError(CityTwinError):
    """A field device did not do what was asked."""


class DeviceSilent(DeviceError):
    """The device gave no answer in time."""


class DeviceMalformed(DeviceError):
    """The device's answer is not one: bad checksum or length, foreign unit or transaction id."""


class DeviceRefused(DeviceError):
    """The device answered that it will not do it."""


class LineClosed(CityTwinError):
    """The line to the other end is closed or lost; the text says by whom, or why."""


class CommandError(CityTwinError):
    """A command may not be carried out; the text is the reason, for people."""


class EnrolmentError(CityTwinError):
    """A gateway may not join, or may no longer connect; the text is the reason."""


class StoreError(CityTwinError):
    """A durable store cannot keep its promise."""


class StoreFull(StoreError):
    """A durable store has reached its limit in bytes."""


class StoreLimit(StoreError):
    """More was asked of a store than one answer holds; the text says how to ask for less."""
