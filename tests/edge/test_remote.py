"""Configurations from the hub on a virtual clock: signed, checked, on trial, rolled back."""

import asyncio

import pytest

from citytwin.testing import VirtualClock
from citytwin_edge.gateway import digest
from citytwin_edge.signature import verified
from citytwin_hub.authority import Authority
from citytwin_protos.config_order import (
    ConfigOrder,
    deflated,
    inflated,
    order_to_bytes,
    signed_bytes,
)
from tests.edge.agent_scenes import DEVICES, SECOND, Gateway, config_of


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    return [Authority(tmp_path_factory.mktemp("a"), 1_767_225_600 * SECOND) for _ in range(2)]


@pytest.fixture
def authority(authorities):
    return authorities[0]


class Pushed(Gateway):
    """A gateway whose hub pushes configurations."""

    authority: Authority

    def text(self, *changes):
        text = self.agent.config.path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return text.encode()

    def push(self, wanted, number=1, by=None, **fields):
        order = order_to_bytes(
            ConfigOrder(
                **{
                    "gateway": "g", "number": number, "base": self.agent.config.digest,
                    "text": deflated(wanted), "issued_by": "aigul", "issued_ns": 5, **fields,
                }
            )
        )  # fmt: skip
        signature = (by or self.authority).signature(signed_bytes(order))
        assert self.hub.session is not None
        assert self.hub.session.push_config(order, signature)
        self.hub._poke()

    async def state(self, *wanted):
        await self.hub.until(
            lambda: self.hub.reports and self.hub.reports[-1].state in wanted, timeout_s=3600
        )
        return self.hub.reports[-1]


def played(tmp_path, monkeypatch, authority, scene, head="", clock=None):
    async def checked(*question):
        return verified(*question)

    monkeypatch.setattr("citytwin_edge.agent.is_signed", checked)
    clock = clock or VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch)
        path = config.path
        if head:
            from citytwin_edge.config import load

            path.write_text(path.read_text().replace("[outbox]", f"{head}[outbox]"))
            config = load(path)
            kind.meters.clear()
        config.state.mkdir(exist_ok=True)
        (config.state / "authority.pem").write_bytes(authority.pem)
        gateway = Pushed(config, kind, clock)
        gateway.authority = authority
        async with gateway.running():
            await gateway.hub.until(lambda: gateway.hub.reports)
            await scene(gateway)
        return gateway

    return clock.run(play())


SLOWER = ('name = "d2"', 'name = "d2"\nperiod_s = 2')


def test_what_is_proven_stays(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        agent, hub = gateway.agent, gateway.hub
        assert (hub.reports[0].state, hub.reports[0].push) == ("", 0)
        assert (hub.reports[0].digest, hub.reports[0].remote) == (
            agent.config.digest,
            "keep-limits",
        )
        text = gateway.text(SLOWER)
        gateway.push(text)
        await gateway.state("trial")
        report = await gateway.state("confirmed")
        assert (report.push, report.digest) == (1, digest(text))
        assert agent.config.path.read_bytes() == text
        await asyncio.sleep(11)
        assert hub.of("g/agent/config-result").value[-1] == 1
        # Again, and an older one: both have been decided on.
        gateway.push(gateway.text(("period_s = 2", "period_s = 3")), number=1)
        await asyncio.sleep(1)
        assert hub.reports[-1].push == 1
        assert agent.config.digest == digest(text)

    played(tmp_path, monkeypatch, authority, scene)


def test_what_is_not_proven_in_time_goes(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        agent, hub = gateway.agent, gateway.hub
        before = gateway.text()
        hub.holds_back = True
        began = asyncio.get_running_loop().time()
        gateway.push(gateway.text(SLOWER, ('name = "g"', 'name = "g"\ntrial_s = 5')))
        await gateway.state("trial")
        await asyncio.sleep(12)
        assert hub.of("g/agent/config-result").value[-1] == 4
        report = await gateway.state("rolled-back")
        assert asyncio.get_running_loop().time() - began == pytest.approx(300, abs=1), (
            "as long as the one before has said"
        )
        assert "did not prove it within 300 s: it acknowledged nothing" in report.reason
        assert (agent.config.raw, agent.config.path.read_bytes()) == (before, before)
        hub.holds_back = False
        hub.session.acknowledge(hub.entries[-1][0])
        hub._poke()
        await asyncio.sleep(15)
        assert hub.of("g/agent/config-result").value[-1] == 3
        # The next one has its own chance.
        gateway.push(gateway.text(SLOWER), number=2)
        await gateway.state("confirmed")

    played(tmp_path, monkeypatch, authority, scene)


@pytest.mark.parametrize(
    ("change", "fields", "words"),
    [
        (
            ("[0, 1]", "[0, 2]"),
            {},
            "g/d1/pump, which can be commanded, would have another",
        ),
        (
            SLOWER,
            {"base": "0" * 64},
            "another configuration runs on the gateway than the hub",
        ),
        (SLOWER, {"text": b"junk"}, "is not deflated"),
        (('kind = "counter"', 'kind = "contour"'), {}, 'edge.toml:23: device "d2"'),
        (('name = "g"', 'name = "h"'), {}, "cannot be changed"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path, monkeypatch, authority, change, fields, words):
    async def scene(gateway):
        before = gateway.text()
        gateway.push(gateway.text(change), **fields)
        report = await gateway.state("refused")
        assert words in report.reason
        assert (report.push, gateway.agent.config.raw, gateway.text()) == (1, before, before)

    played(tmp_path, monkeypatch, authority, scene)


@pytest.mark.parametrize(
    ("foreign", "fields", "words"),
    [
        (True, {}, "the signature is not that of the hub this gateway is enrolled at"),
        (False, {"gateway": "other"}, "it is signed for gateway 'other'"),
    ],
)
def test_what_nobody_has_signed_for_us_is_refused_and_not_remembered(
    tmp_path, monkeypatch, authorities, foreign, fields, words
):
    async def scene(gateway):
        before = gateway.text()
        text = gateway.text(SLOWER)
        gateway.push(text, number=1000, by=authorities[1] if foreign else None, **fields)
        report = await gateway.state("refused")
        assert words in report.reason
        assert gateway.text() == before
        gateway.push(text, number=1)
        await gateway.state("confirmed")

    played(tmp_path, monkeypatch, authorities[0], scene)


def test_a_locked_gateway_says_nothing_and_takes_nothing(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        hub = gateway.hub
        gateway.push(gateway.text(SLOWER))
        report = await gateway.state("refused")
        assert "changed at the gateway only" in report.reason
        hub.session.ask_config(report.digest)
        hub._poke()
        await asyncio.sleep(1)
        assert all(not one.text for one in hub.reports)

    played(tmp_path, monkeypatch, authority, scene, head='remote_config = "off"\n')


def test_the_hub_is_told_what_runs_and_of_changes_on_the_spot(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        hub, agent = gateway.hub, gateway.agent
        hub.session.ask_config(agent.config.digest)
        hub._poke()
        await hub.until(lambda: hub.reports[-1].text)
        assert inflated(hub.reports[-1].text) == agent.config.raw
        edited = gateway.text(SLOWER)
        agent.config.path.write_bytes(edited)
        # Changed and not yet taken: nobody else may overwrite it, unless he says so.
        gateway.push(gateway.text(("period_s = 2", "period_s = 3")))
        assert "is in the file, not yet taken," in (await gateway.state("refused")).reason
        assert (await agent.reloader.reload()).result == "applied"
        await hub.until(lambda: hub.reports[-1].digest == digest(edited))
        forced = gateway.text(("period_s = 2", "period_s = 3"))
        agent.config.path.write_bytes(edited + b"# mine\n")
        gateway.push(forced, number=2, base="")
        await gateway.state("confirmed")
        assert (agent.config.state / "config" / "overwritten.toml").read_bytes().endswith(b"mine\n")

    played(tmp_path, monkeypatch, authority, scene)


def test_an_edit_on_the_spot_ends_a_trial_and_stays(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        hub, agent = gateway.hub, gateway.agent
        hub.holds_back = True
        gateway.push(gateway.text(SLOWER))
        await gateway.state("trial")
        edited = gateway.text(("period_s = 2", "period_s = 5"))
        agent.config.path.write_bytes(edited)
        assert (await agent.reloader.reload()).result == "applied"
        report = await gateway.state("rolled-back")
        assert "on the spot during the trial" in report.reason
        await asyncio.sleep(400)
        assert (agent.config.raw, gateway.text()) == (edited, edited)

    played(tmp_path, monkeypatch, authority, scene)


def test_what_cannot_be_built_there_is_taken_back(tmp_path, monkeypatch, authority):
    async def scene(gateway):
        before, build, built = gateway.text(), gateway.kind.build, []

        def fails(*given):
            built.append(given)
            if len(built) > 2:  # the check builds both
                raise RuntimeError("no such chip")
            return build(*given)

        monkeypatch.setattr(gateway.kind, "build", fails)
        gateway.push(gateway.text(SLOWER))
        report = await gateway.state("refused")
        assert 'device "d1": adapter "meter" has a mistake: RuntimeError: no such' in report.reason
        assert (gateway.agent.config.raw, gateway.text()) == (before, before)

    played(tmp_path, monkeypatch, authority, scene)


def test_the_file_must_be_the_agents_to_change(tmp_path, monkeypatch, authority):
    from citytwin.errors import StoreError
    from citytwin_edge.push_store import ConfigStore

    def put(_self, _raw):
        raise StoreError("/etc/citytwin/edge.toml cannot be replaced: Read-only file system")

    monkeypatch.setattr(ConfigStore, "put", put)

    async def scene(gateway):
        gateway.push(gateway.text(SLOWER))
        assert "Read-only file system" in (await gateway.state("refused")).reason
        assert DEVICES in gateway.text().decode()

    played(tmp_path, monkeypatch, authority, scene)
