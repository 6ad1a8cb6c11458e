"""A vendor's machine: an environment of his own beside CityTwin's, and what he types there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

MODULES = {"pip": "pip", "pytest": "pytest", "mypy": "mypy"}
EDGE = "import sys\nfrom citytwin_edge.cli import main\nsys.exit(main())\n"


class Vendor:
    """A throw-away environment that sees this one's libraries, and installs beside them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        place = folder / "venv"
        command = [sys.executable, "-m", "venv", "--without-pip", str(place)]
        subprocess.run(command, check=True, timeout=60)
        self.bin = place / "bin"
        (packages,) = place.glob("lib/python*/site-packages")
        ours = sysconfig.get_path("purelib")
        # addsitedir reads the .pth files there, too: those of CityTwin's own editable packages.
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        for name, module in MODULES.items():
            self._command(name, f"import runpy\nrunpy.run_module({module!r}, {{}}, '__main__')\n")
        self._command("citytwin-edge", EDGE)
        ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
        assert ruff is not None
        (self.bin / "ruff").symlink_to(ruff)

    def _command(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!{self.bin / 'python'}\n{script}")
        path.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What his shell has; there is no internet here, so nothing is fetched to build with."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
        return kept | {
            "PATH": f"{self.bin}:{kept['PATH']}",
            "HOME": str(self.home),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as: no isolation
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    def types(
        self, line: str, folder: Path, *, code: int = 0, timeout_s: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Type a line into a shell in a folder."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done
