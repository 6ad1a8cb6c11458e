"""Shelf: finds profiles by name in the folders of this gateway, of vendors, and our own."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.catalogue.profile import FRAMES, Profile
from citytwin_edge.catalogue.profile import load as load_profile

OURS: Final = Path(__file__).parents[1] / "profiles"
SYSTEM: Final = Path("/etc/citytwin/profiles")
GROUP: Final = "citytwin.profiles"
"""Entry points that name a module with a folder ``profiles`` beside it: a vendor's own."""
PROFILES_MAX: Final = 10_000
NEAR_MAX: Final = 8
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*")


class Shelf:
    """Folders of profiles; of two with one name, that of the first folder counts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Take the folders; reads nothing yet."""
        self.folders = tuple(folders)
        self._loaded: dict[str, Profile] = {}

    def names(self) -> list[str]:
        """Return the names of all profiles, sorted."""
        return sorted({name for folder in self.folders for name, _ in _profiles(folder)})

    def path(self, name: str) -> Path:
        """Return where a profile is.

        Raises:
            ConfigError: there is none of that name; the text names the nearest ones.
        """
        if _NAME.fullmatch(name):
            for folder in self.folders:
                path = folder / f"{name}.toml"
                if path.is_file():
                    return path
        raise ConfigError(f'there is no profile "{name}"; {self._near(name)}')

    def profile(self, name: str) -> Profile:
        """Return a profile, checked as far as it can be without a device.

        Raises:
            ConfigError: there is none, or its file is wrong.
        """
        if name not in self._loaded:
            self._loaded[name] = load_profile(self.path(name), name)
        return self._loaded[name]

    def _near(self, name: str) -> str:
        words = [word for word in re.split(r"[^a-z0-9]+", name.casefold()) if word]
        near = [known for known in self.names() if any(word in known for word in words)]
        if not near:
            return "citytwin-edge profiles list shows what there is"
        return f"near it are {', '.join(near[:NEAR_MAX])}"


def shelf_for(config: Path) -> Shelf:
    """Return a gateway's shelf: ``profiles/`` beside its file, the system's, vendors', ours."""
    return Shelf([config.parent / "profiles", SYSTEM, *_vendors(), OURS])


def name_of(path: Path) -> str:
    """Return the name that a profile's file gives it: its folder and its own."""
    return f"{path.resolve().parent.name}/{path.stem}"


def _vendors() -> Iterator[Path]:
    for place in plugins.installed(GROUP).values():
        try:
            found = importlib.util.find_spec(place.partition(":")[0])
        except (ImportError, ValueError):
            continue
        if found is not None and found.origin:
            yield Path(found.origin).parent / "profiles"


def _profiles(folder: Path) -> Iterator[tuple[str, Path]]:
    for count, path in enumerate(sorted(folder.glob("*/*.toml"))):
        if count >= PROFILES_MAX:
            raise ConfigError(f"{folder}: there are more than {PROFILES_MAX} profiles")
        if not path.name.endswith(FRAMES):
            yield name_of(path), path
