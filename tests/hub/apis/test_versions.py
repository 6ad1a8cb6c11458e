"""Configurations over REST: who may see and do what; tests/city has the gateways to it."""

from citytwin_hub.access import Role
from citytwin_hub.apis.app import CONFIG_BODY_BYTES_MAX
from citytwin_hub.config_texts import digest_of
from citytwin_protos.config_order import deflated
from citytwin_protos.session import ConfigReported

TEXT = '[gateway]\nname = "g-1"\n'


def known(running):
    """Let the hub know a gateway that has told what it runs."""
    hub, now_ns = running.hub, running.now_ns
    token = hub.registry.issue_token("g-1", b"f" * 32, now_ns)
    from citytwin_protos.token import read_token

    hub.registry.enrol("g-1", read_token(token).secret, "a1", now_ns)
    raw = TEXT.encode()
    report = ConfigReported(digest_of(raw), "all", text=deflated(raw))
    hub.configs.reported("g-1", report, now_ns)


async def test_looking_pushing_cancelling(running):
    known(running)
    async with running.client(Role.ADMIN) as web:
        shown = (await web.get("gateways/g-1/config")).json()
        assert (shown["number"], shown["drift"], shown["push"]) == (1, False, None)
        assert (await web.get("gateways/g-1/config/text")).json() == {"text": TEXT}
        new = {"text": TEXT + "[outbox]\n", "why": "because"}
        pushed = await web.post("gateways/g-1/config", json=new)
        assert (pushed.status_code, pushed.json()["state"]) == (202, "submitted")
        again = await web.post("gateways/g-1/config", json=new)
        assert (again.status_code, "one at a time" in again.text) == (409, True)
        diff = (await web.get("gateways/g-1/config/diff", params={"old": 1, "new": 2})).json()
        assert diff["diff"].endswith("+[outbox]\n")
        assert (await web.post("gateways/g-1/config/cancel")).json()["state"] == "cancelled"
        found = (await web.get("gateways/g-1/config/versions")).json()["versions"]
        assert [(one["number"], one["why"]) for one in found] == [(2, "because"), (1, "")]
        back = await web.post("gateways/g-1/config/rollback", json={"number": 2})
        assert (back.status_code, back.json()["number"]) == (202, 3)
        assert (await web.post("gateways/g-1/config/accept")).json() == {"number": 1}
        (gateway,) = (await web.get("gateways")).json()["gateways"]
        assert gateway["config"]["wanted"] == 1


async def test_what_is_refused(running):
    known(running)
    async with running.client(Role.ADMIN) as web:
        assert (await web.get("gateways/none/config")).status_code == 404
        wrong = await web.post("gateways/g-1/config", json={"text": "["})
        assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "text")
        long = await web.post("gateways/g-1/config", content=b" " * (CONFIG_BODY_BYTES_MAX + 1))
        assert long.status_code == 413
        large = {"text": TEXT + "# " + "x" * 200_000}
        assert (await web.post("gateways/g-1/config", json=large)).status_code == 202
        other = await web.post("commands", content=b" " * 100_000)
        assert other.status_code == 413, "other bodies are as small as ever"
        assert (
            await web.post("gateways/g-1/config/rollback", json={"number": 9})
        ).status_code == 404
    for role in (Role.VIEWER, Role.OPERATOR):
        async with running.client(role) as web:
            assert (await web.get("gateways/g-1/config")).status_code == 200
            for path in ("text", "diff"):
                assert (await web.get(f"gateways/g-1/config/{path}")).status_code == 403
            for path, body in (
                ("", {"text": TEXT}), ("/cancel", {}), ("/accept", {}), ("/rollback", {}),
            ):  # fmt: skip
                answer = await web.post(f"gateways/g-1/config{path}", json=body)
                assert answer.status_code == 403, path
