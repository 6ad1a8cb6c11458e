"""Scaffold: a complete project of a vendor's own, made of the templates beside this file.

A template is a file of the project with ``.in`` behind its name. ``@word@`` stands for what is
known of the project, in names and in texts; what is in ``common/`` belongs to every kind.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from citytwin.errors import CityTwinError
from citytwin_edge import plugins

KINDS: Final = ("profile", "adapter", "kernel")
NAME_CHARS_MAX: Final = 40
TEMPLATES: Final = Path(__file__).parent
_FORMS: Final = {
    "profile": ("vendor/model, each", "acme/m1"),
    "adapter": ("one word", "acme-gauge"),
    "kernel": ("one word", "steam-power"),
}
_PLAIN: Final = re.compile(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")
_MODEL: Final = re.compile(rf"{_PLAIN.pattern}/([a-z0-9]+(?:-[a-z0-9]+)*)")
_WORD: Final = re.compile(r"@([a-z]+)@")


class Project(NamedTuple):
    """What is to be made.

    Attributes:
        kind: one of KINDS.
        name: what stands in an ``edge.toml``: of a profile ``vendor/model``.
        words: what ``@word@`` stands for.
    """

    kind: str
    name: str
    words: dict[str, str]

    @property
    def distribution(self) -> str:
        """The name of the distribution, and of its folder."""
        return self.words["project"]


def project(kind: str, name: str) -> Project:
    """Return what a project of that kind and name is called.

    Raises:
        CityTwinError: the name cannot be one, or is taken; the text says what may be.
    """
    pattern = _MODEL if kind == "profile" else _PLAIN
    found = pattern.fullmatch(name)
    if found is None or len(name) > NAME_CHARS_MAX:
        form, example = _FORMS[kind]
        raise CityTwinError(
            f"{name!r} cannot be the name of your {kind}: {form} of lower-case Latin letters, "
            f"digits and single hyphens, beginning with a letter, at most {NAME_CHARS_MAX} "
            f"characters in all, such as {example}"
        )
    short, model = found[1], found[2] if kind == "profile" else ""
    taken = None if kind == "profile" else plugins.installed(f"citytwin.{kind}s").get(name)
    if taken is not None:
        raise CityTwinError(
            f'"{name}" is the name of an installed {kind} ({taken}); choose another'
        )
    package = f"citytwin_{short.replace('-', '_')}"
    place = {"profile": package, "adapter": f"{package}.adapter:ADAPTER",
             "kernel": f"{package}.kernel:KERNEL"}[kind]  # fmt: skip
    words = {
        "project": f"citytwin-{short}",
        "package": package,
        "name": name,
        "vendor": short,
        "model": model,
        "description": f"CityTwin {kind}{'s of' if kind == 'profile' else ''} {short}",
        "group": f"citytwin.{kind}s",
        "entry": f'{short} = "{place}"',
    }
    return Project(kind, name, words)


def files(made: Project) -> Iterator[tuple[str, str]]:
    """Yield every file of a project: its path in the project's folder, and its text."""
    for folder in (TEMPLATES / "common", TEMPLATES / made.kind):
        for template in sorted(folder.rglob("*.in")):
            path = template.relative_to(folder).as_posix().removesuffix(".in")
            text = template.read_text(encoding="utf-8")
            yield _filled(path, made.words), _filled(text, made.words)


def _filled(text: str, words: dict[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[1]], text)


def write(made: Project, folder: Path) -> list[str]:
    """Write a project into a folder that is not there yet; returns its files' paths, sorted.

    The folder appears whole or not at all.

    Raises:
        CityTwinError: there is something already; it is not touched.
        OSError: it cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise CityTwinError(f"{folder} is there already; nothing was written; try another --to")
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    written = []
    try:
        for path, text in files(made):
            place = partial / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            written.append(path)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return sorted(written)
