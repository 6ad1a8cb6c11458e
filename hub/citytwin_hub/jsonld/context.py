"""Context: what the names in a document mean: an @context, compiled to dictionaries.

JSON-LD 1.1 API, clauses 5.2 (IRI expansion) and 6.2 (IRI compaction) as far as NGSI-LD needs them:
names of types and attributes, never values (ETSI GS CIM 009, clauses 4.4 and 5.5.7).

>>> from citytwin_hub.jsonld.processing import CORE
>>> CORE.expand("location"), CORE.compact("https://uri.etsi.org/ngsi-ld/location")
('https://uri.etsi.org/ngsi-ld/location', 'location')
>>> CORE.expand("pressure"), CORE.compact("https://uri.etsi.org/ngsi-ld/default-context/pressure")
('https://uri.etsi.org/ngsi-ld/default-context/pressure', 'pressure')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from citytwin_hub.entities.errors import BadRequestData

NAMES_MAX: Final = 10_000
"""Names that a context remembers in each direction; over it, it forgets all and begins anew."""

CORE_VERSION: Final = "1.9"
CORE_URL: Final = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v{CORE_VERSION}.jsonld"
"""The core @context that is shipped."""
CORE_URLS: Final = frozenset(
    f"{scheme}://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
    for scheme in ("http", "https")
    for version in ("", *(f"-v1.{minor}" for minor in range(1, 10)))
)
"""Every published address of a core @context; each newer one holds the terms of the older."""

_KEYWORD_LIKE: Final = re.compile(r"@[A-Za-z]+")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s]*")


def is_absolute(text: str) -> bool:
    """Return whether a text has the form of an absolute IRI: a scheme, a colon, no white space."""
    return _ABSOLUTE.fullmatch(text) is not None


def is_keyword_like(text: str) -> bool:
    """Return whether a text looks like a JSON-LD keyword: ``@`` and letters."""
    return _KEYWORD_LIKE.fullmatch(text) is not None


class Term(msgspec.Struct, frozen=True):
    """What an @context says of one term (immutable).

    Attributes:
        iri: an absolute IRI or a keyword; None where the term is set to null or is a reverse
            property, which NGSI-LD has no place for.
        prefix: whether compact IRIs may be made with it.
        definition: the definition as it was given, to compare a protected term's redefinitions.
        protected: whether later definitions must be the same.
    """

    iri: str | None
    prefix: bool = False
    definition: Any = None
    protected: bool = False


class Context:
    """A compiled @context. Its meaning never changes; it may be used from any thread."""

    __slots__ = ("_compacted", "_expanded", "_names", "_prefixes", "_terms", "_vocab", "given")

    def __init__(self, terms: Mapping[str, Term], vocab: str, given: Any) -> None:
        """Compile.

        Args:
            terms: by name; the core's terms are among them and have had the last word.
            vocab: what is put before a name that is no term.
            given: the @context as the client gave it: a URL, a list or an object.
        """
        self.given: Final = given
        self._terms, self._vocab = dict(terms), vocab
        self._expanded: dict[str, str] = {}
        self._compacted: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for name in sorted(terms, key=lambda name: (len(name), name)):
            iri = terms[name].iri
            if iri is not None:
                self._names.setdefault(iri, name)
        self._prefixes = tuple(
            (term.iri, name) for name, term in terms.items() if term.prefix and term.iri
        )

    @property
    def terms(self) -> Mapping[str, Term]:
        """The terms by name."""
        return self._terms

    @property
    def vocab(self) -> str:
        """What is put before a name that is no term."""
        return self._vocab

    @property
    def reference(self) -> Any:
        """What an answer's @context member says: a URL, a list or an object."""
        given = self.given
        return given[0] if isinstance(given, list) and len(given) == 1 else given

    @property
    def url(self) -> str | None:
        """What an answer's Link header says; None where no single URL leads to this @context.

        The core's URL beside another one is left out: the core is always implied.
        """
        given = self.given if isinstance(self.given, list) else [self.given]
        others = [one for one in given if not (isinstance(one, str) and one in CORE_URLS)]
        if not others:
            return str(given[0]) if given else CORE_URL
        return others[0] if len(others) == 1 and isinstance(others[0], str) else None

    def expand(self, name: str) -> str:
        """Return the IRI of a term, a compact IRI or an IRI; else the name below the vocabulary.

        Raises:
            BadRequestData: the @context sets this name to null, or to a reverse property.
        """
        iri = self._expanded.get(name)
        if iri is None:
            iri = self._expand(name)
            _remember(self._expanded, name, iri)
        return iri

    def compact(self, iri: str) -> str:
        """Return the shortest term of an IRI, or what comes nearest to one.

        That is the rest below the vocabulary; else a compact IRI; else the IRI itself (clause
        5.5.7: fully qualified where no term matches).
        """
        name = self._names.get(iri) or self._compacted.get(iri)
        if name is None:
            name = self._compact(iri)
            _remember(self._compacted, iri, name)
        return name

    def _expand(self, name: str) -> str:
        term = self._terms.get(name)
        if term is not None:
            if term.iri is None:
                raise BadRequestData(
                    f"the @context sets {name!r} to null or to a reverse property: it cannot name "
                    "a type or an attribute; give it an IRI, or use another name"
                )
            return term.iri
        if is_keyword_like(name):
            return name
        colon = name.find(":")
        if colon > 0:
            prefix, suffix = name[:colon], name[colon + 1 :]
            if prefix == "_" or suffix.startswith("//"):
                return name
            term = self._terms.get(prefix)
            if term is not None and term.prefix and term.iri is not None:
                return term.iri + suffix
            if is_absolute(name):
                return name
        return self._vocab + name

    def _compact(self, iri: str) -> str:
        if iri.startswith(self._vocab) and len(iri) > len(self._vocab):
            suffix = iri[len(self._vocab) :]
            if suffix not in self._terms:
                return suffix
        best: str | None = None
        for start, name in self._prefixes:
            if iri.startswith(start) and len(iri) > len(start):
                candidate = f"{name}:{iri[len(start) :]}"
                free = candidate not in self._terms
                if free and (best is None or (len(candidate), candidate) < (len(best), best)):
                    best = candidate
        return iri if best is None else best


def _remember(names: dict[str, str], name: str, meaning: str) -> None:
    if len(names) >= NAMES_MAX:
        names.clear()
    names[name] = meaning
