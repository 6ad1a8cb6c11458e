"""A hub and gateways as processes, driven by the commands that people type."""

import asyncio
import json
import os
import signal
import sys
from typing import NamedTuple

import httpx

from tests.servers import free_port

HUB = "import sys; from citytwin_hub.cli import main; sys.exit(main())"
EDGE = "import sys; from citytwin_edge.cli import main; sys.exit(main())"


class Done(NamedTuple):
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Place:
    """One folder with the files of a hub and of gateways; ends every process that it started."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.http, self.link, self.enrol = free_port(), free_port(), free_port()
        (folder / "hub.toml").write_text(
            f'[hub]\nstate = "{folder}/hub"\n[link]\nbind = "127.0.0.1:{self.link}"\n'
            f'enrol_bind = "127.0.0.1:{self.enrol}"\n[http]\nbind = "127.0.0.1:{self.http}"\n'
        )
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CITYTWIN")}
        self.environment["TZ"] = "Asia/Almaty"

    def gateway(self, name, meter_port, folder=None):
        """Write the file of a gateway with one Modbus device: register 0 to 3, 1 can be set."""
        folder = self.folder / (folder or name)
        folder.mkdir(exist_ok=True)
        points = "".join(
            f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\n'
            f'type = "uint16"\n{"writable = [0, 100]" if n == 1 else ""}\n'
            for n in range(4)
        )
        path = folder / "edge.toml"
        path.write_text(
            f'[gateway]\nname = "{name}"\nstate = "state"\n[outbox]\nflush_ms = 50\n'
            f'[[device]]\nname = "m"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
            f"port = {meter_port}\nperiod_s = 0.1\n{points}"
        )
        return path

    async def run(self, code, *arguments, timeout_s=60) -> Done:
        """Run a command to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *map(str, arguments), cwd=self.folder,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    def hub_command(self, *arguments, **options):
        return self.run(HUB, *arguments, "--config", "hub.toml", **options)

    async def start(self, name, code, *arguments):
        """Start a process whose log is kept under ``name``, as JSON."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, *map(str, arguments), "--log", "json",
                cwd=self.folder, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    async def start_hub(self, name="hub"):
        process = await self.start(name, HUB, "run", "--config", "hub.toml")
        async with httpx.AsyncClient() as web:
            async with asyncio.timeout(30):
                while True:
                    assert process.returncode is None, self.log(name)
                    try:
                        await web.get(f"http://127.0.0.1:{self.http}/healthz")
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)
                    else:
                        return process

    async def start_agent(self, config, name):
        return await self.start(name, EDGE, "run", "--config", config)

    async def enrolled(self, name, meter_port):
        """Return the file of a gateway that has joined."""
        config = self.gateway(name, meter_port)
        made = await self.hub_command("--json", "enrol-token", "--gateway", name)
        joined = await self.join(config, made.json["token"])
        assert joined.code == 0, joined.err
        return config

    def join(self, config, token):
        return self.run(EDGE, "enrol", f"127.0.0.1:{self.enrol}", token, "--config", config)

    def log(self, name):
        """Return the lines of a process's log; each must be an object."""
        text = (self.folder / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    async def until_logged(self, name, event, timeout_s=30, **fields):
        """Wait for a line; return it."""
        async with asyncio.timeout(timeout_s):
            while True:
                for line in self.log(name):
                    if line["event"] == event and fields.items() <= line.items():
                        return line
                await asyncio.sleep(0.05)

    async def until_said(self, name, words, timeout_s=60):
        """Wait until some line of a process's log has these words."""
        async with asyncio.timeout(timeout_s):
            while not any(words in str(line) for line in self.log(name)):
                await asyncio.sleep(0.05)

    async def until_values(self, point, timeout_s=30):
        """Wait until the hub has a good value of a point; return it."""
        async with asyncio.timeout(timeout_s):
            while True:
                done = await self.hub_command("read", point, "--json")
                if done.code == 0 and done.json[0].get("reason") == "good":
                    return done.json[0]["value"]

    async def end(self):
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @staticmethod
    async def stop(process, number=signal.SIGTERM):
        process.send_signal(number)
        return await asyncio.wait_for(process.wait(), 20)
