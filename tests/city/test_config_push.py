"""Configurations that the hub pushes: real hubs, real gateways, every way in which it can go."""

import asyncio
import contextlib

import httpx
import pytest

from citytwin_edge.gateway import digest
from tests.faults.meters import Liar, serving
from tests.relay import Relay
from tests.servers import free_port
from tests.site import Site, asked
from tests.waiting import answered, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Town:
    """A hub, one gateway that has joined it through a relay, and its meter."""

    def __init__(self, folder, meter):
        self.site, self.meter = Site(folder), meter
        self.gateway = self.site.gateway("g-1")
        self.path = self.gateway.folder / "edge.toml"

    async def begin(self, port, *, trial_s=30, more=""):
        self.gateway.configure(port, self.meter.table())
        text = self.path.read_text().replace("[outbox]", f"trial_s = {trial_s}\n{more}[outbox]", 1)
        self.path.write_text(text)
        await self.site.admit(self.gateway)
        await self.gateway.start()
        await answered(self.adopted, "the hub to know what the gateway runs")

    @property
    def text(self):
        return self.path.read_text()

    async def adopted(self):
        status = await self.status()
        return status["number"] if status["digest"] else 0

    async def status(self):
        async with self.site.web() as web:
            return await asked(web, "gateways/g-1/config")

    async def command(self, *words):
        return await self.site.hub_command("config", "g-1", *words)

    async def push(self, text, *words):
        file = self.site.folder / "new.toml"
        file.write_text(text)
        return await self.command("push", str(file), *words)

    async def until_state(self, state, number=None):
        async def reached():
            push = (await self.status())["push"]
            right = push and push["state"] == state and number in (None, push["number"])
            return push if right else None

        return await answered(reached, f"the push to be {state}")


@pytest.fixture
async def town(tmp_path):
    meter = Liar("m")
    async with serving(meter), contextlib.AsyncExitStack() as stack:
        town = Town(tmp_path, meter)
        stack.push_async_callback(town.site.end)
        await town.site.start_hub()
        yield town


def paced(text, period_s):
    """Return a configuration whose meter is read at another pace."""
    assert "period_s = 0.1" in text
    return text.replace("period_s = 0.1", f"period_s = {period_s}")


def states(push):
    return [step["state"] for step in push["history"]]


async def test_a_push_is_applied_confirmed_and_can_be_taken_back(town):
    async with Relay(town.site.link) as relay:
        await town.begin(relay.port)
        before = town.text
        wider = paced(before, 0.2)
        pushed = await town.push(wider, "--why", "Прибор устал", "--wait")
        assert (pushed.code, pushed.err) == (0, "")
        assert town.text == wider, "it is in the file that the technician knows"
        status = await town.status()
        assert states(status["push"]) == ["submitted", "sent", "applied", "confirmed"]
        assert (status["number"], status["wanted"], status["drift"]) == (2, 2, False)
        assert (await town.command("show")).out == wider.rstrip("\n") + "\n"
        shown = (await town.command("diff")).out
        assert "-period_s = 0.1" in shown
        assert "+period_s = 0.2" in shown
        history = (await town.site.hub_command("--json", "config", "g-1", "history")).json
        assert [(one["number"], one["by"], one["why"]) for one in history] == [
            (2, "local-admin", "Прибор устал"), (1, "at the gateway", ""),
        ]  # fmt: skip
        assert (await town.command("rollback", "--wait")).code == 0
        assert town.text == before
        assert (await town.status())["number"] == 3
        await town.gateway.stop()


async def test_what_the_gateway_finds_wrong_is_refused_with_its_words(town):
    await town.begin(town.site.link)
    before = town.text
    wrong = before.replace('table = "holding"', 'table = "holdinng"', 1)
    done = await town.push(wrong, "--wait")
    assert done.code == 1
    assert "refused: edge.toml:" in done.err
    assert 'field "table"' in done.err
    locked = before.replace('name = "r0"\n', 'name = "r0"\nwritable = [0, 1]\n')
    assert (
        "g-1/m/r0 would become writable; only somebody at"
        in (await town.push(locked, "--wait")).err
    )
    renamed = before.replace('name = "g-1"', 'name = "g-2"')
    assert "[gateway] name is 'g-2', not 'g-1'" in (await town.push(renamed)).err
    assert town.text == before
    assert digest(before.encode()) == (await town.status())["digest"]


async def test_a_push_that_cuts_the_way_to_the_hub_is_rolled_back(town):
    await town.begin(town.site.link, trial_s=3)
    before = town.text
    nowhere = before.replace(f"127.0.0.1:{town.site.link}", f"127.0.0.1:{free_port()}")
    done = await town.push(nowhere, "--wait")
    assert done.code == 1
    assert "rolled-back: the hub did not prove it within 3 s: it was not connected" in done.err
    status = await town.status()
    # Applied was never heard of: the gateway was out of reach until it had the old one again.
    assert states(status["push"]) == ["submitted", "sent", "rolled-back"]
    assert town.text == before
    assert status["digest"] == digest(before.encode())
    assert town.gateway.said("config.trial")


async def test_a_way_that_is_cut_by_others_rolls_back_too(town):
    async with Relay(town.site.link) as relay:
        await town.begin(relay.port, trial_s=3)
        before, after = town.text, paced(town.text, 0.3)
        # What would prove it is not even made when the firewall begins to swallow everything.
        await town.push(after.replace("flush_ms = 100", "flush_ms = 60000"))
        await town.gateway.until_said("config.trial")
        relay.stall()
        await town.gateway.until_said("config.rolled_back")
        assert town.text == before
        relay.drop()
        push = await town.until_state("rolled-back")
        assert "did not prove it within 3 s" in push["reason"]


async def test_local_edits_are_not_overwritten_and_drift_is_seen(town):
    await town.begin(town.site.link)
    assert (await town.push(paced(town.text, 0.2), "--wait")).code == 0
    edited = town.text.replace("period_s = 0.2", "period_s = 0.4")
    town.path.write_text(edited)
    # It is in the file, and not yet taken.
    done = await town.push(edited.replace("period_s = 0.4", "period_s = 0.5"), "--wait")
    assert "somebody changed it on the spot" in done.err
    config = str(town.path)
    assert (await town.site.run(*town.gateway.program, "reload", "--config", config)).code == 0

    async def drifted():
        return (await town.status())["drift"]

    await answered(drifted, "the hub to see the drift")
    shown = (await town.command("diff")).out
    assert "+period_s = 0.4" in shown
    assert (await town.command("accept")).code == 0
    assert not await drifted()
    done = await town.push(edited.replace("period_s = 0.4", "period_s = 0.5"), "--wait")
    assert done.code == 0, done.err


async def test_a_locked_gateway_is_neither_seen_nor_changed(town):
    town.gateway.configure(town.site.link, town.meter.table())
    text = town.text.replace("[outbox]", 'remote_config = "off"\n[outbox]', 1)
    town.path.write_text(text)
    await town.site.admit(town.gateway)
    await town.gateway.start()

    async def told():
        return (await town.status())["remote"] == "off"

    await answered(told, "the gateway to say that it is locked")
    assert 'its [gateway] remote_config is "off"' in (await town.push(text + "\n")).err
    assert "there is no such version" in (await town.command("show")).err


async def test_one_push_at_a_time_waits_for_its_gateway_and_can_be_cancelled(town):
    await town.begin(town.site.link)
    await town.gateway.stop()
    first, second = (paced(town.text, pace) for pace in (0.2, 0.3))
    assert "push 2 is submitted" in (await town.push(first)).out
    assert "push 2 of g-1 is submitted; one at a time" in (await town.push(second)).err
    assert "push 2 is cancelled" in (await town.command("cancel")).out
    assert "push 3 is submitted" in (await town.push(second)).out
    # Two people at once: one of them is told.
    await town.command("cancel")
    both = await asyncio.gather(town.push(first), town.push(first))
    assert sorted(done.code for done in both) == [0, 1]
    await town.gateway.start()
    await town.until_state("confirmed", 4)
    assert town.text == first


@pytest.mark.parametrize("killed_after_s", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0])
async def test_kill_9_at_any_moment_leaves_the_old_or_the_new(town, killed_after_s):
    await town.begin(town.site.link, trial_s=20)
    before, after = town.text, paced(town.text, 0.2)
    await town.push(after)
    await asyncio.sleep(killed_after_s)  # nothing is waited for: any moment will do
    await town.gateway.kill()
    assert town.text in (before, after)
    await town.gateway.start()
    await until(lambda: len(town.gateway.said("agent.started")) == 2, "it to start again")
    push = await town.until_state("confirmed")
    assert town.text == after
    assert states(push)[-1] == "confirmed"
    await town.gateway.stop()


async def test_a_restart_does_not_end_a_trial(town):
    async with Relay(town.site.link) as relay:
        await town.begin(relay.port, trial_s=8)
        before, after = town.text, paced(town.text, 0.3)
        hub = f"127.0.0.1:{relay.port}"
        after = after.replace(hub, f"127.0.0.1:{free_port()}")
        await town.push(after)
        await town.gateway.until_said("config.trial")
        await town.gateway.kill()
        assert town.text == after
        await town.gateway.start()
        await until(lambda: len(town.gateway.said("config.trial")) == 2, "the trial to go on")
        push = await town.until_state("rolled-back")
        assert "the hub did not prove it within 8 s" in push["reason"]
        assert town.text == before


async def test_only_admins_push_and_see_texts(town):
    await town.begin(town.site.link)
    token = (await town.site.hub_command("user", "add", "aigul", "--role", "operator")).out.strip()
    assert (town.site.state / "configs.db").stat().st_mode & 0o777 == 0o600
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{town.site.http}/api/v1/",
        headers={"Authorization": f"Bearer {token}"},
    ) as web:
        assert (await web.get("gateways/g-1/config")).json()["number"] == 1
        assert (await web.get("gateways/g-1/config/text")).status_code == 403
        pushed = await web.post("gateways/g-1/config", json={"text": town.text})
        assert pushed.status_code == 403
        assert (await web.get("gateways/g-2/config")).status_code == 404
