"""Kernel: a small streaming computation that turns samples into samples, on the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from citytwin.batch import Batch, Int32
from citytwin.point import Point

SNAPSHOT_BYTES_MAX: Final = 1 << 20
SNAPSHOT_BYTES_MAX_PER_POINT: Final = 2_048
"""A snapshot is not larger than the first, or the second times the number of inputs and outputs."""

MATURITY: Final = ".anomaly-maturity"
"""Behind the id of a point that a gateway watches: how far it has learnt; 0 lets it begin anew."""


@runtime_checkable
class Kernel(Protocol):
    """A streaming computation over the samples of a few points.

    The pipeline promises: ``step`` is never called concurrently; samples arrive in the order in
    which they were read, each once; for one point time does not run backwards except when a clock
    was set; ``restore`` is called at most once and before the first ``step``.

    The kernel promises: O(1) memory and time per sample; strictly causal; the same samples cut into
    batches in any way give the same output (split invariance); ``snapshot`` then ``restore`` in a
    new process gives the same future; it reads no clock and does no I/O.

    In the batches that go in and come out, ``point`` is an index into ``inputs`` followed by
    ``outputs``: 0 is ``inputs[0]``, ``len(inputs)`` is ``outputs[0]``. A kernel that returns
    samples of an *input* index is a filter: what it returns replaces the samples of all inputs it
    lists in ``replaces``. Samples of every other input pass on untouched beside its outputs.
    """

    @property
    def inputs(self) -> tuple[str, ...]:
        """Ids of the points it reads."""
        ...

    @property
    def outputs(self) -> tuple[Point, ...]:
        """The points that it adds."""
        ...

    @property
    def replaces(self) -> bool:
        """True for a filter: the returned samples stand in place of all input samples."""
        ...

    def step(self, batch: Batch) -> Batch:
        """Take the next samples and return what follows from them (possibly nothing)."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state, which holds the kernel's version.

        At most SNAPSHOT_BYTES_MAX bytes, or SNAPSHOT_BYTES_MAX_PER_POINT for each input and output
        if that is more: the gateway keeps it on its disk, again and again.
        """
        ...

    def restore(self, state: bytes) -> None:
        """Take up a state that ``snapshot`` gave.

        Raises:
            MalformedError: the bytes are not a snapshot of this kernel, version and set of points.
        """
        ...


@runtime_checkable
class Holds(Protocol):
    """What a kernel may be besides: one that owes something for the samples that it has taken."""

    def held(self, inputs: Int32) -> Batch:
        """Return what is still to be said of some inputs, for they leave the kernel.

        A sample that was held back, the end of an alarm that was raised. Comes after the last
        ``step``. ``inputs``: int32, shape (n,), indexes.
        """
        ...


@runtime_checkable
class Obeys(Protocol):
    """What a kernel may be besides: one of whose outputs some may be commanded (``writable``).

    Such a command goes through everything that one to a device does: rights, limits, expiry,
    journal, outcome, read-back. It changes what the kernel knows, and nothing in the field.
    """

    def obey(self, output: int, value: float, time_ns: int) -> Batch:
        """Do what a command asks for, and return what is to be said of it.

        Comes between two calls of ``step``; its effect is in the next ``snapshot``. What is
        returned must hold a sample of ``output``: that is the read-back.

        Args:
            output: which point, as in batches: ``len(inputs)`` is ``outputs[0]``.
            value: within the point's ``writable`` and on its ``step``.
            time_ns: the stamp of what is returned, UTC nanoseconds.
        """
        ...


class KernelType(Protocol):
    """What stands behind an entry point of group ``citytwin.kernels``.

    ``settings`` is a msgspec struct with ``forbid_unknown_fields``: the gateway decodes a
    ``[[kernel]]`` table's own fields into it and reports errors, a ``ValueError`` from its
    ``__post_init__`` too, with file and line.

    A kernel type may have ``reads`` (each with ``name`` and ``unit``), ``gives`` (each with
    ``name``, ``unit``, ``kind``, ``label``, ``attribute``) and a ``summary`` in one line:
    ``citytwin-edge kernels show`` and its page are made from these, from the docstring of the
    module and from the Attributes section of the settings.

    Where each input has a row of its own in every column of the snapshot (``citytwin_edge``'s
    ``kernels.state``), a type may have ``learns_by(settings)``, which returns what such a row
    stands on, compared with ``==``: when a configuration is replaced, the rows of inputs for which
    it is the same are taken over, whatever else has changed. Without it, any change begins anew.
    """

    @property
    def settings(self) -> type[msgspec.Struct]:
        """What a table's own fields are decoded into."""
        ...

    def build(self, settings: Any, inputs: Sequence[Point]) -> Kernel:
        """Return a kernel of these inputs, in this order; does no I/O.

        Each output is of ``Source.DERIVED`` and its id is an input's with a dot and a name behind
        it, such as ``gateway/station/temperature.dew-point``. Only a kernel that :class:`Obeys`
        has outputs that are ``writable``.

        Raises:
            ConfigError: settings and inputs do not fit together; the text is one sentence. An
                :class:`~citytwin.errors.InputError` says of which input, and is told at its line.
        """
        ...
