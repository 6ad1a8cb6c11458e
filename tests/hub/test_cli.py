"""The command line as operators and technicians type it: real processes, real TLS, both sides."""

import csv
import re
import shutil
import signal
import sqlite3

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from citytwin import SystemClock
from citytwin_hub.authority import Authority
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import identity_of
from tests.site import EDGE, HUB, Program, Site
from tests.waiting import answered, until

LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:00")
POINTS = "".join(
    f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\n'
    f'type = "uint16"\n{"writable = [0, 100]" if n == 1 else ""}\n'
    for n in range(4)
)


class Place(Site):
    """A site whose gateways have one Modbus device each: register 0 to 3, 1 can be set."""

    def __init__(self, folder, meter):
        super().__init__(folder, environment={"TZ": "Asia/Almaty"})
        self.device = (
            f'[[device]]\nname = "m"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
            f"port = {meter}\nperiod_s = 0.1\n{POINTS}"
        )

    def box(self, folder=""):
        """Return a gateway named g-1 that has not joined."""
        gateway = self.gateway("g-1", folder=folder)
        gateway.configure(self.link, self.device, flush_ms=50)
        return gateway

    async def joined(self):
        """Return one that has."""
        gateway = self.box()
        await self.admit(gateway)
        return gateway

    async def until_value(self, point, timeout_s=30):
        """Wait until the hub has a good value of a point; return it."""

        async def good():
            done = await self.hub_command("read", point, "--json")
            shown = done.json if done.code == 0 else []
            return [one["value"] for one in shown if one.get("reason") == "good"]

        (value,) = await answered(good, f"{point} to be good", timeout_s)
        return value


@pytest.fixture
async def meter():
    async with tcp_server(device(1, [(0, [11, 22, 33, 44])])) as port:
        yield port


@pytest.fixture
async def place(tmp_path, meter):
    place = Place(tmp_path, meter)
    yield place
    await place.end()


def one_sentence(done, *words):
    """Check that a command failed, and said why in one line and nothing else."""
    assert done.code == 1, done
    assert done.out == ""
    assert done.err.startswith(("citytwin-hub: ", "citytwin-edge: ")), done.err
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err, done.err


async def test_from_a_token_to_a_command_and_back(place):
    await place.start_hub()
    gateway = await place.joined()
    await gateway.start()
    assert await place.until_value("g-1/m/r0") == 11.0

    done = await place.hub_command("gateways")
    assert done.out.splitlines()[1].split()[:3] == ["g-1", "enrolled", "yes"]
    assert LOCAL.search(done.out), "times are local"
    (shown,) = (await place.hub_command("gateways", "--json")).json
    assert (shown["connected"], shown["points"] > 4, shown["refused"]) == (True, True, 0)
    done = await place.hub_command("points", "m/r1")
    assert "0 … 100" in done.out.splitlines()[1]
    done = await place.hub_command("read", "g-1/m/r0", "g-1/m/r3", "--json")
    assert [value["value"] for value in done.json] == [11.0, 44.0]
    done = await place.hub_command("read", "g-1/m/r0", "--last", "1m")
    assert done.out.splitlines()[0].split() == ["point", "time", "value", "text", "quality"]
    done = await place.hub_command("read", "g-1/m/r0", "--last", "1m", "--step", "1m", "--json")
    assert all(step["mean"] == 11.0 for step in done.json)

    # Each refusal is one sentence here and a record on the hub; the device never hears of it.
    one_sentence(await place.hub_command("command", "g-1/m/r1", "101"), "outside 0 … 100")
    one_sentence(await place.hub_command("command", "g-1/m/r0", "1"), "cannot be written")
    one_sentence(await place.hub_command("command", "g-1/m/r9", "1"), "no point 'g-1/m/r9'")
    done = await place.hub_command("command", "g-1/m/r1", "55", "--wait", "--json")
    assert (done.code, done.json[0]["state"]) == (0, "settled"), done
    assert await place.until_value("g-1/m/r1") == 55.0
    assert [step["state"] for step in done.json[0]["history"]] == [
        "submitted", "sent", "executed", "settled",
    ]  # fmt: skip
    listed = (await place.hub_command("commands", "--json")).json
    assert [(c["state"], c["value"]) for c in listed] == [
        ("settled", 55.0), ("refused", 1.0), ("refused", 101.0),
    ]  # fmt: skip
    with sqlite3.connect(gateway.state / "commands.db") as journal:
        kept = journal.execute("SELECT id, state FROM commands").fetchall()
    journal.close()
    assert kept == [(done.json[0]["id"], "executed")], "the gateway's own journal has it, once"

    async with httpx.AsyncClient() as web:
        text = (await web.get(f"http://127.0.0.1:{place.http}/metrics")).text
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["citytwin_gateway_connected", "g-1"] == 1
    assert found["citytwin_gateway_health", "g-1", "memory"] > 0
    assert found["citytwin_commands_total", "settled"] == 1
    await gateway.stop()
    await place.hub.stop()
    events = [line["event"] for line in place.hub.lines()]
    assert len(events) == len(place.hub.log.read_text().splitlines()), "each line is an object"
    assert events[-1] == "hub.stopped"
    assert {"link.connected", "command.settled", "enrolment.done"} <= set(events)


async def test_tokens_that_do_not_serve_are_explained_on_both_sides(place):
    await place.start_hub()
    box = place.box()

    async def token(*options, gateway="g-1"):
        made = await place.hub_command("enrol-token", "--gateway", gateway, *options)
        assert made.code == 0, made.err
        assert f"citytwin-edge enrol THIS-HUB:{place.enrol} ct1." in made.err
        return made.out.strip()

    one_sentence(await place.join(box, "nonsense"), "not a token")
    one_sentence(await place.join(box, await token(gateway="g-2")), "issued for gateway 'g-2'")
    short = await token("--expires-min", "0.0001")
    one_sentence(await place.join(box, short), "has expired; ask for a new one")
    good = await token()
    spare = await token()
    assert (await place.join(box, good)).code == 0
    other = place.box("other")
    one_sentence(await place.join(other, good), "has been used; a token serves once")
    one_sentence(await place.join(other, spare), "'g-1' is enrolled already")
    one_sentence(
        await place.hub_command("enrol-token", "--gateway", "g-1"), "enrolled already", "--replace"
    )
    one_sentence(await place.hub_command("enrol-token", "--gateway", "a/b"), "a/b")
    one_sentence(
        await place.hub_command("enrol-token", "--gateway", "g", "--expires-min", "0"), "above 0"
    )
    refused = place.hub.said("enrolment.refused")
    for words in ("issued for gateway 'g-2'", "has expired", "has been used", "enrolled already"):
        assert any(words in line["reason"] for line in refused), words
    assert all(line["gateway"] == "g-1" and line["peer"] for line in refused)


async def test_a_token_of_another_hub_is_not_spent_on_this_one(place, tmp_path):
    """The token pins the hub's certificate: nothing is sent to one that is not it."""
    await place.start_hub()
    other = Site(tmp_path / "elsewhere")
    made = await other.hub_command("enrol-token", "--gateway", "g-1", "--json")
    joined = await place.join(place.box(), made.json["token"])
    one_sentence(joined, "is not the hub that issued this token")
    assert not [line for line in place.hub.lines() if line["event"].startswith("enrolment.")]


async def test_revoked_and_foreign_certificates_and_two_of_one_name(place, tmp_path):
    await place.start_hub()
    first = await place.joined()
    await first.start()
    await place.hub.until_said("link.connected", gateway="g-1")

    # A box that was copied: same certificate, an outbox of its own.
    copy = place.box("copy")
    own = shutil.ignore_patterns("outbox*", "commands*", "*.lock", "*.sock")
    shutil.copytree(first.state, copy.state, ignore=own)
    await copy.start()
    logged = await place.hub.until_said("link.duplicate", gateway="g-1")
    assert logged["other"] != logged["peer"]
    told = await copy.until_said("uplink.refused", reason="duplicate")
    assert "another gateway named 'g-1' is connected" in told["detail"]

    # A certificate of another authority.
    foreign = place.box("foreign")
    stranger = Authority(tmp_path / "stranger", SystemClock().now_ns())
    identity_of(stranger, "g-1", foreign.state, f"127.0.0.1:{place.link}")
    (foreign.state / "authority.pem").write_bytes((first.state / "authority.pem").read_bytes())
    await foreign.start()
    words = "refuses this gateway's certificate: it is of another hub"
    await until(lambda: words in foreign.log.read_text(), words)
    refused = await place.hub.until_said("link.handshake_failed")
    assert refused["reason"].startswith("a client's certificate is refused: unable to get local")

    done = await place.hub_command("gateways", "--revoke", "g-1")
    assert done.out.startswith("g-1 is revoked")
    logged = await place.hub.until_said("link.revoked", gateway="g-1")
    assert "was revoked" in logged["reason"]
    await until(lambda: "was revoked" in first.log.read_text(), "the gateway to be told")
    (gateway,) = (await place.hub_command("gateways", "--json")).json
    assert (gateway["state"], gateway["connected"]) == ("revoked", False)
    one_sentence(await place.hub_command("gateways", "--revoke", "g-9"), "no gateway 'g-9'")


async def test_mistakes_are_one_sentence_with_an_exit_code(place):
    await place.start_hub()
    span = ("--start", "2026-11-21T00:00+05:00", "--end", "2026-11-22T00:00+05:00", "-o", "x.csv")
    for arguments, words in [
        (("read", "a/b/c"), "no point 'a/b/c'"),
        (("read", "x" * 300), "200"),
        (("export", "--points", "a/b/c", *span), "no point 'a/b/c'"),
        (("export", "--gateway", "none", *span), "gateway 'none' has no points"),
        (("export", "--points", "a/b/c", "--start", "now", *span[2:]), "'now' is not a time"),
        (("export", "--points", "a/b/c", "--start", "2026-11-21", *span[2:]), "no time zone"),
        (("export", "--points", "a/b/c", *span[:2], "--end", span[1], *span[4:]), "is not after"),
        (("fit", "none", *span), "gateway 'none' has no points"),
        (("user", "remove", "nobody"), "no user 'nobody'"),
        (("user", "add"), "needs a NAME"),
        (("user", "add", "Айгүл"), "Айгүл"),
        (("points", "--token", "wrong"), "a valid token is needed"),
        (("points", "--hub", "127.0.0.1:1"), "does not answer at http://127.0.0.1:1"),
        (("points", "--hub", "http://[::1"), "is not an address"),
        (("run",), "another hub runs with"),
    ]:
        one_sentence(await place.hub_command(*arguments), words)
    wrong = await place.run(*HUB)
    assert (wrong.code, "usage: citytwin-hub" in wrong.err) == (2, True)
    other = place.folder / "other.toml"
    other.write_text('[hub]\nstate = "elsewhere"\n')
    missing = await place.run(*HUB, "gateways", "--revoke", "x", "--config", str(other))
    one_sentence(missing, "no hub has run with", "is --config right?")
    assert not (place.folder / "elsewhere").exists(), "asking makes nothing"
    empty = await place.hub_command("gateways")
    assert (empty.code, empty.out.splitlines()[-1]) == (0, "(none)")
    assert (await place.hub_command("gateways", "--json")).json == []
    added = await place.hub_command("user", "add", "aigul", "--role", "operator")
    mine = await place.hub_command("points", "--token", added.out.strip())
    assert mine.code == 0
    users = (await place.hub_command("--json", "user", "list")).json
    assert {"name": "aigul", "role": "operator"} in users


async def test_export_of_a_running_hub(place):
    await place.start_hub()
    gateway = await place.joined()
    await gateway.start()
    await place.until_value("g-1/m/r3")
    span = ("--start", "2026-01-01T00:00+05:00", "--end", "2027-01-01T00:00+05:00")
    done = await place.hub_command(
        "export", "--points", "g-1/m/r0", "g-1/m/r3", *span, "-o", "two.csv"
    )
    assert re.fullmatch(r"\d+ samples in two\.csv\n", done.out), done
    with (place.folder / "two.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {(line["point"], line["value"]) for line in lines} == {
        ("g-1/m/r0", "11.0"), ("g-1/m/r3", "44.0"),
    }  # fmt: skip
    assert all(LOCAL.fullmatch(line["time"]) for line in lines)
    done = await place.hub_command(
        "export", "--gateway", "g-1", *span, "--format", "parquet", "-o", "all.parquet", "--json"
    )
    assert done.json["samples"] > len(lines)
    full = await place.hub_command("export", "--gateway", "g-1", *span, "-o", "/proc/x.csv")
    one_sentence(full, "/proc/x.csv cannot be written")


async def test_interrupting_a_command_that_waits_is_no_traceback(place):
    await place.start_hub()
    gateway = await place.joined()
    await gateway.start()
    await place.until_value("g-1/m/r1")
    await gateway.stop()
    words = ("command", "g-1/m/r1", "5", "--wait", "--config", "hub.toml")
    waiting = Program(place.folder, "waiting", *HUB, *words)
    await waiting.start()
    try:
        await place.hub.until_said("command.submitted")
        assert await waiting.end(signal.SIGINT) == 130
    finally:
        await waiting.abandon()
    assert waiting.log.read_text() == ""
    # Nobody was there to take it: it was journalled as submitted, and never as sent.
    (shown,) = (await place.hub_command("commands", "--json")).json
    assert [step["state"] for step in shown["history"]] == ["submitted"]
    await gateway.start()
    await place.hub.until_said("command.settled", point="g-1/m/r1")


async def test_a_gateway_refuses_what_the_hub_would_not(place):
    """The gateway's own limits are narrower than those that the hub knows: it has the last word."""
    await place.start_hub()
    gateway = await place.joined()
    config = gateway.folder / "edge.toml"
    lock = '[[interlock]]\ntarget = "m/r1"\nguard = "m/r0"\nspan = [100.0, inf]\n'
    config.write_text(config.read_text() + lock)
    await gateway.start()
    await place.until_value("g-1/m/r1")
    done = await place.hub_command("command", "g-1/m/r1", "5", "--wait", "--json")
    assert (done.code, done.json[0]["state"]) == (1, "refused")
    assert "m/r0" in done.json[0]["reason"]["en"]
    with sqlite3.connect(gateway.state / "commands.db") as journal:
        ((state, reason),) = journal.execute("SELECT state, reason FROM commands").fetchall()
    journal.close()
    assert (state, reason) == ("refused", done.json[0]["reason"]["en"]), "the same on both sides"
    assert await place.until_value("g-1/m/r1") == 22.0
    outbox = await place.run(*EDGE, "outbox", "--refused", "--config", str(config))
    assert "(none)" in outbox.out
