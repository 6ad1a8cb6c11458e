"""Model: a simulation of one network or domain, held in step with the city by its measurements."""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self, runtime_checkable

from citytwin.batch import Batch


class Attribute(NamedTuple):
    """One attribute of one city object: URN, attribute name, UCUM unit."""

    entity: str
    name: str
    unit: str


@runtime_checkable
class Model(Protocol):
    """A simulation that can be corrected by measurements and branched for a what-if.

    The runner promises: calls come from one thread at a time; times only grow within one instance.
    The model promises: deterministic for the same calls; ``branch`` is independent of its origin
    from then on; ``snapshot``/``restore`` reproduce it in another process.
    In its batches ``point`` is an index into ``inputs`` (assimilate) or ``outputs`` (step).
    """

    inputs: tuple[Attribute, ...]
    outputs: tuple[Attribute, ...]

    def assimilate(self, observations: Batch) -> None:
        """Correct the state by measurements of ``inputs``."""
        ...

    def step(self, until_ns: int) -> Batch:
        """Advance to ``until_ns`` (UTC) and return ``outputs`` on the way, in order of time."""
        ...

    def branch(self) -> Self:
        """Return an independent copy of the present state."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, state: bytes) -> None:
        """Take up a state that ``snapshot`` gave.

        Raises:
            MalformedError: the bytes are not a snapshot of this model and version.
        """
        ...
