"""A vendor's kernel and adapter from ``new`` to the hub's page: real agent and hub processes."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from citytwin_edge import scaffold
from tests.site import Site, latest
from tests.waiting import answered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KIND = "dew-trial"
STATION = """\
[[device]]
name = "station"
adapter = "replay"
file = "{recording}"
period_s = 0.1
place = [76.9, 43.2]
[[device.point]]
name = "temperature"
unit = "Cel"
[[device.point]]
name = "humidity"
unit = "%"
[[kernel]]
name = "dew-point"
kernel = "{kind}"
inputs = ["station/temperature", "station/humidity"]
"""


def installed(folder: Path) -> tuple[Path, Path]:
    """Build a new kernel project's wheel and put it where the agent looks; return both folders."""
    project = folder / "project"
    scaffold.write(scaffold.project("kernel", KIND), project)
    wheels, site = folder / "wheels", folder / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [*pip, *build, "--wheel-dir", str(wheels), str(project)], check=True, timeout=120
    )
    (wheel,) = wheels.glob("*.whl")
    into = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([*pip, *into], check=True, timeout=120)
    return project, site


@pytest.fixture
async def town(tmp_path):
    """A hub, and a gateway with a vendor's kernel that has joined it; the agent does not run."""
    project, packages = installed(tmp_path)
    site = Site(tmp_path / "town")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(site.end)
        await site.start_hub()
        gateway = site.gateway("medeu-1")
        site.environment["PYTHONPATH"] = gateway.environment["PYTHONPATH"] = str(packages)
        gateway.configure(
            site.link, STATION.format(recording=project / "tests/station.csv", kind=KIND)
        )
        await site.admit(gateway)
        yield site, gateway, packages / "citytwin_dew_trial/kernel.py"


async def until_latest(site, point, judge) -> dict[str, Any]:
    """Wait for a latest value at the hub's REST interface that is as it must be; return it."""
    async with site.web() as web:

        async def found():
            value = await latest(web, point)
            return value if value is not None and judge(value) else None

        value = await answered(found, f"{point} at the hub")
    assert value is not None
    return value


async def test_what_a_vendors_kernel_derives_is_at_the_hub(town):
    site, gateway, _ = town
    await gateway.start()
    value = await until_latest(
        site, "medeu-1/station/temperature.dew-point", lambda one: one["reason"] == "good"
    )
    assert -6.4 < value["value"] < -5.5, "-3.4 °C at 81 %"
    async with site.web() as web:
        answer = await web.get("points", params={"q": "dew-point"})
    (point,) = answer.json()["points"]
    assert (point["unit"], point["source"], point["writable"]) == ("Cel", "derived", None)
    assert point["place"] == [76.9, 43.2, None], "where its input is"
    await gateway.stop()


async def test_one_that_gives_the_impossible_costs_nobody_a_sample(town):
    site, gateway, code = town
    text = code.read_text()
    right = "return 243.04 * gamma / (17.625 - gamma), worse"
    assert right in text
    code.write_text(text.replace(right, "return math.inf, worse"))
    await gateway.start()
    derived = await until_latest(
        site, "medeu-1/station/temperature.dew-point", lambda one: one["reason"] == "not_a_number"
    )
    assert derived["value"] is None
    await until_latest(site, "medeu-1/station/humidity", lambda one: one["value"] in (81, 82))
    await gateway.stop()
    assert not gateway.said("uplink.entry_refused")


async def test_one_that_fails_is_told_of_and_the_rest_goes_on(town):
    site, gateway, code = town
    text = code.read_text()
    code.write_text(text.replace("        made: list", "        made = 1 / 0\n        made: list"))
    await gateway.start()
    line = next(n for n, one in enumerate(code.read_text().splitlines(), 1) if "1 / 0" in one)
    said = await gateway.until_said("kernel.failed", kernel="kernel:dew-point")
    assert said["reason"] == f"ZeroDivisionError: division by zero (kernel.py, line {line})"
    status = await site.run(
        *gateway.program, "status", "--config", str(gateway.folder / "edge.toml")
    )
    assert "kernel dew-point" in status.out, status.err
    derived = await until_latest(
        site, "medeu-1/station/temperature.dew-point", lambda one: one["reason"] == "stale"
    )
    assert derived["value"] is None
    await until_latest(site, "medeu-1/station/humidity", lambda one: one["value"] in (81, 82))
    await gateway.stop()
