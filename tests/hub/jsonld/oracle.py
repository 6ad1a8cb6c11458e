"""What pyld says of a name, to hold our own compiled contexts against."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from pyld import jsonld

from citytwin_hub.jsonld.context import CORE_VERSION

CORE: dict[str, Any] = json.loads(
    (
        resources.files("citytwin_hub.jsonld") / f"core/ngsi-ld-core-context-v{CORE_VERSION}.jsonld"
    ).read_bytes()
)["@context"]
"""The core @context as it is shipped."""


def _loader(url: str, options: object) -> dict[str, Any]:
    """Stand for the security context that the core's ngsildproof names; no name depends on it."""
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": {"@context": {}},
    }


class Oracle:
    """pyld with a context, the core before and after it."""

    def __init__(self, given: list[dict[str, Any]]) -> None:
        """Process what is given; it must not redefine terms of the core."""
        self._pyld = jsonld.JsonLdProcessor()
        options = {"documentLoader": _loader, "base": "", "processingMode": "json-ld-1.1"}
        # Terms of the core are protected in pyld too: open in front, protected behind.
        opened = {name: term for name, term in CORE.items() if name != "@protected"}
        options["contextResolver"] = jsonld.ContextResolver({}, _loader)
        self._context = self._pyld.process_context(
            self._pyld._get_initial_context(options), [opened, *given, CORE], options
        )

    def expand(self, name: str) -> str | None:
        return self._pyld._expand_iri(self._context, name, vocab=True)

    def compact(self, iri: str) -> str:
        return self._pyld._compact_iri(self._context, iri, vocab=True)
