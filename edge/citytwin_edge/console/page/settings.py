"""The settings of the gateway's own page, ``[page]`` in its configuration."""

from __future__ import annotations

import msgspec

from citytwin_edge.gateway import join_address, split_address

PORT: int = 8080


class PageSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[page]``: ``listen`` is host:port; empty: there is no page."""

    listen: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no address (ValueError)."""
        if self.listen:
            split_address(self.listen, PORT)

    def address(self) -> str:
        """Return host:port, or nothing."""
        return join_address(*split_address(self.listen, PORT)) if self.listen else ""
