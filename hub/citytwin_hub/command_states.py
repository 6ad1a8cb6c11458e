"""Command states: what the hub calls them, and the words of OGC API – Connected Systems, part 2.

``UPDATED`` is never said: a command is not changed once it is given, it is canceled and given anew.

>>> code_of("sent"), code_of("settled"), code_of("contradicted")
('ACCEPTED', 'COMPLETED', 'FAILED')
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STATUS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "scheduled": "SCHEDULED",
        "submitted": "PENDING",
        "sent": "ACCEPTED",
        "executed": "EXECUTING",
        "settled": "COMPLETED",
        "contradicted": "FAILED",
        "unverified": "FAILED",
        "expired": "FAILED",
        "failed": "FAILED",
        "refused": "REJECTED",
        "canceled": "CANCELED",
    }
)
"""Carried out but not read back is not completed: nobody knows what the device did."""


def code_of(state: str) -> str:
    """Return the standard's word for a state."""
    return STATUS[state]
