"""Names for tests: the terms of one small vocabulary, without a JSON-LD document."""

from __future__ import annotations

BASE = "https://example.org/"


class Vocabulary:
    """Every term is one of ``BASE``; an absolute IRI is itself."""

    def expand(self, name: str) -> str:
        """Return the IRI of a name."""
        return name if ":" in name else BASE + name

    def compact(self, iri: str) -> str:
        """Return the term of an IRI of ``BASE``; else the IRI."""
        return iri.removeprefix(BASE)
