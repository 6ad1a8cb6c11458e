"""Quality of a sample: one byte that says good, uncertain or bad, and why.

The two upper bits are the severity, as in OPC UA status codes (OPC 10000-4, 7.39); the lower six
are the reason. A value of bad quality is NaN unless the reason says that a number was seen.

>>> Quality.BAD_SILENT.severity
<Severity.BAD: 2>
>>> int(Quality.GOOD)
0
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

SEVERITY_SHIFT: Final = 6


class Severity(IntEnum):
    """How far a sample can be trusted."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Quality(IntEnum):
    """Every quality code that CityTwin writes; anything else on the wire is malformed."""

    GOOD = 0x00
    UNCERTAIN_CLOCK = 0x41
    """The gateway's clock was not synchronised when the sample was stamped."""
    UNCERTAIN_STALE = 0x42
    """The device repeats an old value and says so, or its own time stamp is old."""
    UNCERTAIN_RANGE = 0x43
    """The value lies outside the point's ``valid`` span; it is kept as seen."""
    UNCERTAIN_RATE = 0x44
    """The value changed faster than the point's physics allow."""
    UNCERTAIN_FLATLINE = 0x45
    """The value has not moved for longer than is credible."""
    BAD_SILENT = 0x81
    """The device gave no answer in time."""
    BAD_MALFORMED = 0x82
    """The device's answer could not be understood."""
    BAD_OUT_OF_RANGE = 0x83
    """The number cannot be represented or is beyond any physical meaning."""
    BAD_NOT_A_NUMBER = 0x84
    """The device sent NaN, infinity or the sentinel that its maker defines for "no value"."""
    BAD_REFUSED = 0x85
    """The device answered with an exception for this point."""
    BAD_STALE = 0x86
    """No fresh value for longer than the point may be without one."""
    BAD_OVERFLOW = 0x87
    """More came than could be taken: samples of the device are missing before this one."""

    @property
    def severity(self) -> Severity:
        """Good, uncertain or bad."""
        return Severity(self.value >> SEVERITY_SHIFT)

    @property
    def reason(self) -> str:
        """The reason alone, in lower case with underscores: ``silent``, ``clock``, ``good``."""
        name = self.name.lower()
        return name.partition("_")[2] or name

    @property
    def words(self) -> str:
        """What people read: ``good``, ``bad: not a number``."""
        if self == Quality.GOOD:
            return "good"
        return f"{self.severity.name.lower()}: {self.reason.replace('_', ' ')}"


KNOWN: Final[npt.NDArray[np.bool_]] = np.isin(np.arange(256), [int(q) for q in Quality])
"""Shape (256,): True where the byte is a quality code of this version."""


def severity(quality: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the severity column, 0 to 2, of a quality column; same shape."""
    return quality >> np.uint8(SEVERITY_SHIFT)


def worse(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return, element by element, the quality of higher severity; on a tie the first one."""
    return np.where(severity(second) > severity(first), second, first).astype(np.uint8)
