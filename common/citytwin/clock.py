"""Clock: the only module that reads the machine's clocks. Everywhere else time is an argument."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final, Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """Where the time comes from. Both readings may be taken from any thread."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since 1970-01-01; may step when somebody sets the clock."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds since some fixed moment; never steps, never runs backwards."""
        ...

    def synchronised(self) -> bool:
        """Return whether the operating system holds UTC in step with a time source."""
        ...


_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 208
_STATUS_OFFSET: Final = (
    40  # struct timex on 64-bit Linux: modes, offset, freq, maxerror, esterror, status
)


class SystemClock:
    """The machine's clocks; ``synchronised`` asks the Linux kernel (adjtimex(2))."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since 1970-01-01."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds of the monotonic clock."""
        return time.monotonic_ns()

    def synchronised(self) -> bool:
        """Return whether the kernel reports a synchronised clock; False where it cannot say."""
        if os.name != "posix" or ctypes.sizeof(ctypes.c_long) != 8:  # 64-bit layout
            return False
        buffer = (ctypes.c_char * _TIMEX_BYTES)()
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
        status = int.from_bytes(bytes(buffer)[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
        return 0 <= state < _TIME_ERROR and not status & _STA_UNSYNC
