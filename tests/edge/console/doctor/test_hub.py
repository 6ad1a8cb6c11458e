"""The way to the hub: not enrolled, a certificate that has ended, nobody there, the wrong one."""

import contextlib

import pytest

from citytwin import SystemClock
from citytwin.batch import SECOND_NS
from citytwin_edge.config import load
from citytwin_edge.console.doctor.hub import examine_hub
from citytwin_hub.authority import Authority
from tests.edge.console.console_scenes import tcp
from tests.edge.small_hub import SmallHub, identity_of
from tests.servers import free_port

DAY_NS = 86_400 * SECOND_NS
NOW_NS = SystemClock().now_ns()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority", NOW_NS)


def config_of(folder, address=""):
    path = folder / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\nstate = "state"\nhub = "{address}"\n' + tcp("d", 1))
    return load(path)


async def examined(config):
    return {one.check: one for one in await examine_hub(config, SystemClock())}


async def test_a_gateway_without_a_hub(tmp_path):
    found = await examined(config_of(tmp_path))
    assert found["enrolment"].result == "failed"
    assert found["enrolment"].found == "this gateway has not joined a hub"
    assert "citytwin-hub enrol-token --gateway g" in found["enrolment"].remedy


async def test_the_certificate_of_another_gateway(tmp_path, authority):
    identity_of(authority, "other", tmp_path / "state")
    found = await examined(config_of(tmp_path))
    assert "holds the certificate of gateway 'other'" in found["enrolment"].found


@pytest.mark.parametrize(
    ("days", "result", "words"),
    [
        (-3, "failed", "ended 3 days ago"),
        (10, "warning", "good for 10 days more"),
        (300, "ok", "good for 300 days more"),
        (None, "ok", "when it ends was not noted down"),
    ],
)
async def test_how_long_the_certificate_lasts(tmp_path, authority, days, result, words):
    ends_ns = 0 if days is None else SystemClock().now_ns() + int((days + 0.1) * DAY_NS)
    identity_of(authority, "g", tmp_path / "state", f"127.0.0.1:{free_port()}", ends_ns)
    found = await examined(config_of(tmp_path))
    assert found["certificate"].result == result
    assert words in found["certificate"].found
    assert ("--replace" in found["certificate"].remedy) == (result != "ok")


async def test_nobody_listens(tmp_path, authority):
    port = free_port()
    identity_of(authority, "g", tmp_path / "state", f"127.0.0.1:{port}")
    hub = (await examined(config_of(tmp_path)))["hub"]
    assert hub.result == "failed"
    assert hub.found == f"nothing listens at 127.0.0.1:{port}; is the hub running there?"


async def test_the_hub_and_another_one(tmp_path, authority):
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(SmallHub(SystemClock()).listening(authority))
        other = Authority(tmp_path / "other", NOW_NS)
        wrong = await stack.enter_async_context(SmallHub(SystemClock()).listening(other))
        identity_of(authority, "g", tmp_path / "state", address)
        hub = (await examined(config_of(tmp_path)))["hub"]
        assert (hub.result, hub.remedy) == ("ok", "")
        hub = (await examined(config_of(tmp_path, wrong)))["hub"]
        assert hub.result == "failed"
        assert "is not the hub that this gateway was enrolled at" in hub.found


async def test_a_certificate_that_the_hub_does_not_take(tmp_path, authority):
    other = Authority(tmp_path / "other", NOW_NS)
    async with SmallHub(SystemClock()).listening(authority) as address:
        identity_of(other, "g", tmp_path / "state", address)
        (tmp_path / "state" / "authority.pem").write_bytes(authority.pem)
        hub = (await examined(config_of(tmp_path)))["hub"]
    assert hub.result == "failed"
    assert "refuses this gateway's certificate" in hub.found
    assert "--replace" in hub.remedy
