"""Processing: from @contexts as they are written to a compiled ``Context``.

JSON-LD 1.1 API, clauses 4.1 (context processing) and 4.2 (term definitions), with NGSI-LD's two
rules (ETSI GS CIM 009, clauses 4.4 and 5.5.7): the core @context has the last word wherever it
stands, so definitions of its terms are passed over; and an @context of a user holds no scoped
contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Final
from urllib.parse import urljoin

import msgspec

from citytwin_hub.entities.errors import BadRequestData, LdContextNotAvailable
from citytwin_hub.jsonld.context import (
    CORE_URL,
    CORE_URLS,
    CORE_VERSION,
    Context,
    Term,
    is_absolute,
    is_keyword_like,
)

DEPTH_MAX: Final = 8
"""How deep an @context may name others; a ring of them ends here."""
REFERENCES_MAX: Final = 32
"""How many @contexts one may name in all, with what these name."""
CHAIN_MAX: Final = 50
"""How many terms of one @context may stand on each other."""
TERMS_MAX: Final = 20_000
"""Terms of one compiled @context; the Smart Data Models have about 12,000 in all."""

Load = Callable[[str], Any]
"""Returns the @context that stands at a URL; raises LdContextNotAvailable."""

_IGNORED: Final = frozenset({"@version", "@base", "@language", "@direction", "@propagate"})
_DEFINITION: Final = frozenset(
    {"@id", "@type", "@container", "@reverse", "@language", "@direction", "@index", "@nest"}
    | {"@prefix", "@protected"}
)
_KEYWORDS: Final = (
    _DEFINITION
    | {"@context", "@graph", "@included", "@json", "@list", "@none"}
    | {
        "@set",
        "@value",
    }
)
_AT: Final = "the @context at"
_PREFIX_ENDS: Final = tuple(":/?#[]@")


class _Work:
    """One compilation: the terms so far, and what it may still load."""

    def __init__(self, load: Load, core: Context | None) -> None:
        self.load = load
        self.core: Mapping[str, Term] = core.terms if core is not None else {}
        self.core_vocab = core.vocab if core is not None else ""
        self.references = self.chain = 0
        self.reset()

    def reset(self) -> None:
        self.terms: dict[str, Term] = dict(self.core)
        self.vocab = self.core_vocab

    def add(self, given: Any, base: str, depth: int) -> None:
        """Apply an @context: null, a URL, an object, or a list of these."""
        if given is None:
            if any(term.protected for name, term in self.terms.items() if name not in self.core):
                raise BadRequestData("the @context has a null after terms that are protected")
            self.reset()
        elif isinstance(given, str):
            self._add_reference(given, base, depth)
        elif isinstance(given, list):
            self._check_depth(depth)
            for one in given:
                self.add(one, base, depth + 1)
        elif isinstance(given, dict):
            self._add_object(given, base, depth)
        else:
            raise BadRequestData(
                f"the @context holds {_shown(given)}: it must be a URL, an object of terms, null, "
                "or a list of these"
            )

    def _check_depth(self, depth: int) -> None:
        if depth > DEPTH_MAX or self.references > REFERENCES_MAX:
            raise BadRequestData(
                f"the @context has others or lists in it over {DEPTH_MAX} deep, or names over "
                f"{REFERENCES_MAX}: perhaps two name each other"
            )

    def _loaded(self, reference: str, base: str, depth: int) -> tuple[str, Any]:
        url = urljoin(base, reference)
        if not is_absolute(url) and not url.startswith("/"):
            raise BadRequestData(f"the @context names {reference!r}, which is not an absolute URL")
        self.references += 1
        self._check_depth(depth)
        return url, self.load(url)

    def _add_reference(self, reference: str, base: str, depth: int) -> None:
        if urljoin(base, reference) in CORE_URLS:
            return  # it has the last word anyhow
        url, document = self._loaded(reference, base, depth)
        try:
            self.add(document, url, depth + 1)
        except BadRequestData as error:
            if str(error).startswith(_AT):
                raise  # the innermost one is the one to be mended
            raise BadRequestData(f"{_AT} {url} is not valid: {error}") from error

    def _add_object(self, given: dict[str, Any], base: str, depth: int) -> None:
        if "@import" in given:
            given = self._imported(given, base, depth)
        if "@vocab" in given:
            self.vocab = self._vocab_of(given["@vocab"])
        protected = given.get("@protected", False)
        defined: dict[str, bool] = {}
        for name in given:
            if name not in _IGNORED and name not in {"@vocab", "@protected"}:
                self.define(name, given, defined, protected)
        if len(self.terms) > TERMS_MAX:
            raise BadRequestData(f"the @context has over {TERMS_MAX} terms")

    def _imported(self, given: dict[str, Any], base: str, depth: int) -> dict[str, Any]:
        reference = given["@import"]
        if not isinstance(reference, str):
            raise BadRequestData("the @context's @import must be a URL")
        url, document = self._loaded(reference, base, depth)
        if not isinstance(document, dict) or "@import" in document:
            raise BadRequestData(f"the @context at {url} cannot be imported")
        return {**document, **{key: value for key, value in given.items() if key != "@import"}}

    def _vocab_of(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadRequestData(f"the @context's @vocab is {_shown(value)}: it must be an IRI")
        iri = self._vocab_expanded(value)
        if iri and not is_absolute(iri):
            raise BadRequestData(f"the @context's @vocab {value!r} is not an absolute IRI")
        return iri

    def _vocab_expanded(self, value: str) -> str:
        return self.expand(value, {}, {}, protected=False) or ""

    def expand(
        self, value: str, local: Mapping[str, Any], defined: dict[str, bool], *, protected: bool
    ) -> str | None:
        """Expand a name within a definition, defining first what it stands on."""
        if value.startswith("@"):
            return value
        if value in local and not defined.get(value):
            self.define(value, local, defined, protected)
        if value in self.terms:
            return self.terms[value].iri
        prefix, colon, suffix = value.partition(":")
        if colon and prefix:
            if prefix == "_" or suffix.startswith("//"):
                return value
            if prefix in local and not defined.get(prefix):
                self.define(prefix, local, defined, protected)
            term = self.terms.get(prefix)
            if term is not None and term.prefix and term.iri is not None:
                return term.iri + suffix
            if is_absolute(value):
                return value
        return self.vocab + value

    def define(
        self, name: str, local: Mapping[str, Any], defined: dict[str, bool], protected: Any
    ) -> None:
        """Define a term of an object; terms that it stands on come first."""
        if name in defined:
            if not defined[name]:
                raise BadRequestData(f"the @context defines {name!r} by itself, in a ring")
            return
        value = local[name]
        if name in self.core:
            defined[name] = True
            return
        if not name:
            raise BadRequestData("the @context has a term without a name")
        if is_keyword_like(name):
            self._refuse_keyword(name, value)
            defined[name] = True
            return
        defined[name] = False
        self.chain += 1
        if self.chain > CHAIN_MAX:
            raise BadRequestData(
                f"the @context has over {CHAIN_MAX} terms that stand on each other"
            )
        term = self._term(name, value, local, defined, protected)
        self.chain -= 1
        defined[name] = True
        known = self.terms.get(name)
        if known is not None and known.protected:
            if known.iri != term.iri or known.definition != term.definition:
                raise BadRequestData(f"the @context changes {name!r}, which is protected")
            return
        self.terms[name] = term

    @staticmethod
    def _refuse_keyword(name: str, value: Any) -> None:
        """Pass over what only looks like a keyword; @type may say that it is a set."""
        if name == "@type" and isinstance(value, dict) and value.keys() <= _DEFINITION:
            return
        if name in _KEYWORDS:
            raise BadRequestData(f"the @context redefines the keyword {name}")

    def _term(
        self,
        name: str,
        value: Any,
        local: Mapping[str, Any],
        defined: dict[str, bool],
        protected: Any,
    ) -> Term:
        if value is None or isinstance(value, str):
            definition: dict[str, Any] = {"@id": value}
        elif isinstance(value, dict):
            definition = value
        else:
            raise BadRequestData(
                f"the @context's term {name!r} is {_shown(value)}: it must be an IRI, an object "
                "or null"
            )
        if "@context" in definition and self.core:
            raise BadRequestData(
                f"the @context's term {name!r} has an @context of its own: NGSI-LD has no scoped "
                "contexts (ETSI GS CIM 009, clause 5.5.7); leave it out"
            )
        unknown = definition.keys() - _DEFINITION - {"@context"}
        if unknown:
            raise BadRequestData(
                f"the @context's term {name!r} has {min(unknown)!r}: not a keyword"
            )
        iri = self._iri(name, definition, local, defined, protected)
        simple = definition is not value and ":" not in name[1:] and iri is not None
        prefix = definition.get("@prefix", simple and str(iri).endswith(_PREFIX_ENDS))
        if not isinstance(prefix, bool):
            raise BadRequestData(f"the @context's term {name!r} has an @prefix that is no boolean")
        kept = {key: value for key, value in definition.items() if key != "@protected"}
        return Term(iri, prefix, kept, bool(definition.get("@protected", protected)))

    def _iri(
        self,
        name: str,
        definition: Mapping[str, Any],
        local: Mapping[str, Any],
        defined: dict[str, bool],
        protected: Any,
    ) -> str | None:
        if "@reverse" in definition:
            return None
        value = definition.get("@id", name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadRequestData(f"the @context's term {name!r} has an @id that is no IRI")
        if value != name:
            iri = self.expand(value, local, defined, protected=bool(protected))
            if iri is not None and is_keyword_like(iri):
                return iri if iri in _KEYWORDS else None
            if iri is None or not is_absolute(iri):
                raise BadRequestData(
                    f"the @context's term {name!r} is set to {value!r}, which is neither an IRI "
                    "nor leads to one"
                )
            self._check_iri_like(name, iri, local, defined)
            return iri
        prefix, colon, suffix = name.partition(":")
        if colon and prefix:
            if prefix in local and not defined.get(prefix):
                self.define(prefix, local, defined, protected)
            term = self.terms.get(prefix)
            return name if term is None or term.iri is None else term.iri + suffix
        if not self.vocab:
            raise BadRequestData(f"the @context's term {name!r} has no @id")
        return self.vocab + name

    def _check_iri_like(
        self, name: str, iri: str, local: Mapping[str, Any], defined: dict[str, bool]
    ) -> None:
        """Refuse a term that is itself an IRI, or a compact one, but is set to another."""
        if ":" in name[1:-1] or "/" in name:
            others = {key: value for key, value in local.items() if key != name}
            known = self.terms.pop(name, None)
            meant = self.expand(name, others, defined, protected=False)
            if known is not None:
                self.terms[name] = known
            if meant != iri:
                raise BadRequestData(
                    f"the @context sets {name!r}, which has the form of an IRI, to another: {iri!r}"
                )


def compiled(given: Any, load: Load, core: Context | None) -> Context:
    """Return the compiled @context.

    Args:
        given: a URL, an object, null, or a list of these (the value of an @context member).
        load: returns the @context at a URL; called for every URL that is not the core's.
        core: has the last word; None only to compile the core itself.

    Raises:
        BadRequestData: it is not an @context, or one that it names is none.
        LdContextNotAvailable: one that it names cannot be had.
    """
    work = _Work(load, core)
    work.add(given, "", 0)
    return Context(work.terms, work.vocab if core is None else core.vocab, given)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}…"


def _no_others(url: str) -> Any:
    raise LdContextNotAvailable(f"the core @context names {url}: it must stand alone")


def _core() -> Context:
    folder = resources.files("citytwin_hub.jsonld") / "core"
    text = (folder / f"ngsi-ld-core-context-v{CORE_VERSION}.jsonld").read_bytes()
    context = compiled(msgspec.json.decode(text)["@context"], _no_others, None)
    return Context(context.terms, context.vocab, CORE_URL)


CORE: Final = _core()
"""The core @context."""
