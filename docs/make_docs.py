"""Makes what the documents show, and checks what they say, so that neither grows old.

python docs/make_docs.py              all steps
python docs/make_docs.py --list       name the steps and the files they write
python docs/make_docs.py STEP ...     some of them
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from citytwin_edge.catalogue.documents import documents, kernel_documents

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
START_S_MAX = 120.0
STOP_S_MAX = 30.0
PICTURE_MS_MAX = 60_000
SETTLE_MS = 15_000
"""How long the city runs before its picture is taken, so that trends have something to show."""
LANGUAGES = ("kk", "ru", "en")


@dataclass(frozen=True)
class Step:
    """One thing that is made or checked: its name, its files below docs/, and what does it."""

    name: str
    files: tuple[str, ...]
    make: Callable[[], None]


class DocsError(Exception):
    """A document cannot be made; the text says why."""


def permissions() -> None:
    """Let each role try each thing on a hub, and write down what it was answered."""
    from tests.hub.policy import matrix

    page: Callable[[], Coroutine[Any, Any, str]] = matrix.page
    (DOCS / "permissions.md").write_text(asyncio.run(page()), encoding="utf-8")


def examples() -> None:
    """Run the examples in docstrings and compare documents with sources."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/tidy/test_docs.py"]
    if subprocess.run(command, cwd=ROOT, check=False, timeout=600).returncode:
        raise DocsError("a document does not say what is so; see above")


@contextmanager
def demo_city() -> Iterator[str]:
    """Run a demo city of its own and give the address that it prints."""
    with tempfile.TemporaryDirectory() as state:
        # A main bursts, so that the picture has alarms to show.
        fault = ["--fault", "burst", "--fault-after", "5"]
        command = [sys.executable, "-m", "democity", "--state", state, *fault]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "deploy")}
        city = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            yield address_of(city)
        finally:
            city.send_signal(signal.SIGINT)
            try:
                city.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                city.kill()
                city.wait(STOP_S_MAX)


def address_of(city: subprocess.Popen[str]) -> str:
    """Return the first address that the program prints; its later lines are read and dropped."""
    addresses: queue.Queue[str] = queue.Queue(maxsize=1)

    def listen() -> None:
        assert city.stdout
        for line in city.stdout:
            found = re.search(r"https?://\S+", line)
            if found and addresses.empty():
                addresses.put_nowait(found[0])
        if addresses.empty():
            addresses.put_nowait("")

    threading.Thread(target=listen, daemon=True).start()
    try:
        address = addresses.get(timeout=START_S_MAX)
    except queue.Empty:
        address = ""
    if not address:
        raise DocsError(f"the demo city printed no address within {START_S_MAX:.0f} s")
    return address


def browser_path() -> str:
    """Return the Chromium of this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise DocsError("there is no Chromium here; run: deploy/debian-packages.sh test")


def screens() -> None:
    """Take a picture of the page in each language."""
    from playwright.sync_api import sync_playwright

    folder = DOCS / "pictures"
    folder.mkdir(exist_ok=True)
    with demo_city() as address, sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=browser_path(),
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        for number, language in enumerate(LANGUAGES):
            page = browser.new_page(
                locale=language, viewport={"width": 1440, "height": 900}, color_scheme="light"
            )
            page.goto(address, timeout=PICTURE_MS_MAX)
            page.wait_for_selector("#map canvas", timeout=PICTURE_MS_MAX)
            page.wait_for_timeout(SETTLE_MS if number == 0 else SETTLE_MS // 5)
            page.screenshot(path=folder / f"page-{language}.png", timeout=PICTURE_MS_MAX)
            page.close()
        browser.close()


def adapters() -> None:
    """Write the pages about adapters and profiles from their code and files."""
    write(documents())


def kernels() -> None:
    """Write the page about kernels from their code."""
    write(kernel_documents())


def write(pages: dict[str, str]) -> None:
    """Write pages, each by its path below docs/."""
    for name, text in pages.items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")


GATEWAY_VIEWS: dict[str, tuple[str, Literal["light", "dark"]]] = {
    "kk": ("#", "dark"),
    "ru": ("#device=pump-1", "light"),
    "en": ("#doctor", "light"),
}
"""Which part of a gateway's own page is shown in which language."""
GATEWAY_DEVICES = """
[page]
listen = "127.0.0.1:{page}"
[[device]]
name = "pump-1"
adapter = "modbus"
host = "127.0.0.1"
port = {port}
label = {{ kk = "1-сорғы", ru = "Насос 1", en = "Pump 1" }}
[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
scale = 0.1
label = {{ kk = "Шығын", ru = "Расход", en = "Flow" }}
[[device.point]]
name = "speed"
unit = "/min"
table = "holding"
address = 1
writable = [0, 1500]
label = {{ kk = "Айналу жиілігі", ru = "Частота вращения", en = "Speed" }}
[[device]]
name = "meter-2"
adapter = "modbus"
host = "127.0.0.1"
port = 9
label = {{ kk = "Есептегіш", ru = "Счётчик", en = "Meter" }}
[[device.point]]
name = "volume"
unit = "m3"
kind = "counter"
table = "holding"
address = 0
"""


def gateway() -> None:
    """Take pictures of a gateway's own page as a telephone shows it."""
    asyncio.run(take_gateway_pictures())


async def take_gateway_pictures() -> None:
    """Run an agent with devices that answer and one that does not, and look at its page."""
    from playwright.async_api import async_playwright

    from tests.edge.console.console_scenes import running
    from tests.edge.modbus_devices import device, tcp_server
    from tests.servers import free_port

    flows = itertools.cycle([*range(780, 860, 7), *range(860, 780, -5)])

    async def flow(
        _function: int, start: int, _address: int, _count: int, now: list[int], written: Any
    ) -> None:
        """Let the flow of the pump change with each reading."""
        if start == 0 and written is None:
            now[0] = next(flows)

    page_port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        async with tcp_server(device(1, [(0, [812, 1480])], action=flow)) as port:
            devices = GATEWAY_DEVICES.format(page=page_port, port=port)
            async with running(Path(folder), devices), async_playwright() as play:
                browser = await play.chromium.launch(
                    executable_path=browser_path(),
                    args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
                )
                for language, (view, scheme) in GATEWAY_VIEWS.items():
                    page = await browser.new_page(
                        locale=language,
                        viewport={"width": 390, "height": 844},
                        color_scheme=scheme,
                        device_scale_factor=2,
                    )
                    await page.goto(f"http://127.0.0.1:{page_port}/{view}", timeout=PICTURE_MS_MAX)
                    await page.wait_for_selector(".card .mark, .point", timeout=PICTURE_MS_MAX)
                    await page.wait_for_timeout(SETTLE_MS)
                    await page.screenshot(path=DOCS / f"pictures/gateway-{language}.png")
                await browser.close()


STEPS = (
    Step("adapters", tuple(documents()), adapters),
    Step("kernels", tuple(kernel_documents()), kernels),
    Step("permissions", ("permissions.md",), permissions),
    Step("examples", (), examples),
    Step("screens", tuple(f"pictures/page-{language}.png" for language in LANGUAGES), screens),
    Step("gateway", tuple(f"pictures/gateway-{language}.png" for language in LANGUAGES), gateway),
)


def modified_ns(path: Path) -> int:
    """Return when a file was last written, or 0 when there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def run(steps: list[Step]) -> None:
    """Run the steps; a step that leaves one of its files unwritten has failed."""
    for step in steps:
        before = {name: modified_ns(DOCS / name) for name in step.files}
        step.make()
        for name, was in before.items():
            if modified_ns(DOCS / name) == was:
                raise DocsError(f"docs/{name} was not written")
        print(": ".join((step.name, ", ".join(f"docs/{name}" for name in step.files) or "true")))


def main() -> int:
    """Run the steps that were asked for."""
    parser = argparse.ArgumentParser(description="Make what the documents show, and check them.")
    parser.add_argument("steps", nargs="*", metavar="STEP")
    parser.add_argument("--list", action="store_true", help="name the steps and their files")
    arguments = parser.parse_args()
    by_name = {step.name: step for step in STEPS}
    unknown = [name for name in arguments.steps if name not in by_name]
    if unknown:
        parser.error(f"there is no step {unknown[0]!r}; there are: {', '.join(by_name)}")
    chosen = [by_name[name] for name in arguments.steps] or list(STEPS)
    if arguments.list:
        for step in chosen:
            print(step.name, *step.files)
        return 0
    try:
        run(chosen)
    except DocsError as error:
        print(f"make docs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
