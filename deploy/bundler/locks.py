"""Locks: the entries of deploy/requirements/*.txt, each a version with the hashes of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from packaging.requirements import Requirement

from bundler.kinds import Kind


class Entry(NamedTuple):
    """One line of a lock: a requirement, and the whole text with the hashes."""

    requirement: Requirement
    text: str

    @property
    def name(self) -> str:
        """Name and version, as people write them."""
        return f"{self.requirement.name} {str(self.requirement.specifier).removeprefix('==')}"

    @property
    def without_hashes(self) -> str:
        """The line for a machine that gets the files themselves."""
        return str(self.requirement)

    @property
    def without_marker(self) -> str:
        """The text for a kind that was already asked whether it wants this."""
        return re.sub(r"\s;[^\\\n]*", " ", self.text, count=1)


def entries(text: str) -> list[Entry]:
    """Return the entries of a lock."""
    blocks = [block for block in re.split(r"\n(?=\S)", text.strip()) if block]
    return [Entry(Requirement(block.split("\\")[0].strip()), block) for block in blocks]


def wanted(lock: Iterable[Entry], kind: Kind) -> list[Entry]:
    """Return the entries that a kind of machine installs."""
    return [entry for entry in lock if kind.wants(entry.requirement.marker)]
