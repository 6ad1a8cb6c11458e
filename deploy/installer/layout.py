"""Layout: where everything of one part (gateway or hub) lies on a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ACCOUNT: Final = "citytwin"
PARTS: Final = ("edge", "hub")


@dataclass(frozen=True)
class Layout:
    """The places of a part.

    Attributes:
        part: "edge" or "hub".
        prefix: where it is installed without a service; None as a service of the machine.
        root: "/"; tests have a folder of their own.
    """

    part: str
    prefix: Path | None = None
    root: Path = Path("/")

    @property
    def name(self) -> str:
        """Of the command, the service and the folders."""
        return f"citytwin-{self.part}"

    @property
    def is_service(self) -> bool:
        """Whether it belongs to the machine."""
        return self.prefix is None

    @property
    def home(self) -> Path:
        """Where the versions are."""
        return self.prefix or self.root / "opt" / self.name

    @property
    def config_folder(self) -> Path:
        """Where the configurations of all parts are."""
        return self.root / "etc/citytwin"

    @property
    def config(self) -> Path:
        """This part's configuration."""
        return self.config_folder / f"{self.part}.toml"

    @property
    def state(self) -> Path:
        """What it keeps: outbox, key and certificate; of a hub, the journal and the history."""
        return self.root / "var/lib" / self.name

    @property
    def outbox(self) -> Path:
        """A gateway's outbox."""
        return self.state / "outbox.db"

    @property
    def unit(self) -> Path:
        """The service."""
        return self.root / f"etc/systemd/system/{self.name}.service"

    @property
    def drop_ins(self) -> Path:
        """What people have changed in the service."""
        return self.unit.with_name(f"{self.unit.name}.d")

    @property
    def command(self) -> Path:
        """The command that everybody finds."""
        return self.root / "usr/local/bin" / self.name

    def others(self) -> list[Layout]:
        """Return the other parts that this machine has, or has kept something of."""
        found = [Layout(part, None, self.root) for part in PARTS if part != self.part]
        return [one for one in found if one.state.exists() or one.home.exists()]
