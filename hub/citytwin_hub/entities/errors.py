"""What an operation on entities may refuse, with NGSI-LD's names and HTTP status.

ETSI GS CIM 009, clause 5.5.2 (error types) and 6.3.2 (their status codes).

>>> ResourceNotFound("urn:ngsi-ld:Pump:1 is not known").type
'https://uri.etsi.org/ngsi-ld/errors/ResourceNotFound'
"""

from __future__ import annotations

from typing import ClassVar, Final

from citytwin.errors import CityTwinError

PREFIX: Final = "https://uri.etsi.org/ngsi-ld/errors/"


class EntityError(CityTwinError):
    """An operation was refused; the text is one sentence for whoever asked."""

    title: ClassVar[str] = "the operation failed"
    status: ClassVar[int] = 500

    @property
    def type(self) -> str:
        """The URI of the error type."""
        return PREFIX + self.__class__.__name__


class InvalidRequest(EntityError):
    """The request is syntactically wrong or of a wrong form."""

    title, status = "the request is not valid", 400


class BadRequestData(EntityError):
    """The request's data are wrong: a member, a parameter, an identifier."""

    title, status = "the request has wrong data", 400


class AlreadyExists(EntityError):
    """There is one with this identifier already."""

    title, status = "it exists already", 409


class Conflict(EntityError):
    """What is registered cannot stand beside what is there."""

    title, status = "it conflicts with what is there", 409


class OperationNotSupported(EntityError):
    """The operation is not supported."""

    title, status = "the operation is not supported", 422


class ResourceNotFound(EntityError):
    """There is nothing with this identifier."""

    title, status = "it was not found", 404


class InternalError(EntityError):
    """The hub failed; nothing is wrong with the request."""

    title, status = "the hub failed", 500


class Forbidden(EntityError):
    """Whoever asks may not do this; it is there, but not his to change."""

    title, status = "this is not allowed", 403

    @property
    def type(self) -> str:
        """The standard names no type for it (RFC 9457, 4.2.1)."""
        return "about:blank"


class TooComplexQuery(EntityError):
    """The query is over a stated limit."""

    title, status = "the query is too complex", 403


class TooManyResults(EntityError):
    """The answer would be over a stated limit."""

    title, status = "there are too many results", 403


class LdContextNotAvailable(EntityError):
    """An @context is not to be had, or is not one."""

    title, status = "the @context is not available", 504


class NoMultiTenantSupport(EntityError):
    """Tenants are not supported."""

    title, status = "tenants are not supported", 501


class NonexistentTenant(EntityError):
    """There is no such tenant."""

    title, status = "there is no such tenant", 404
