"""Names: terms to IRIs and back, as a contract; ``jsonld/context.py`` keeps it."""

from __future__ import annotations

from typing import Protocol


class Names(Protocol):
    """What the names of one document or request mean. Immutable, so safe on any thread."""

    def expand(self, name: str) -> str:
        """Return the IRI of a term, a compact IRI or an absolute IRI (the vocabulary's else)."""
        ...

    def compact(self, iri: str) -> str:
        """Return the shortest name of an IRI; the IRI itself where there is none."""
        ...
