"""page unlock and page lock as commands; what they open is tested in console/page/."""

from tests.edge.console.console_scenes import running, tcp, typed
from tests.edge.modbus_devices import device, tcp_server
from tests.servers import free_port


async def test_a_pin_and_a_lock(tmp_path):
    listen = f"127.0.0.1:{free_port()}"
    head = f'[page]\nlisten = "{listen}"\n'
    async with tcp_server(device(1, [(0, [1, 2])])) as port:
        async with running(tmp_path, tcp("meter", port), head=head) as gateway:
            done = await typed(gateway, "page", "unlock", "--minutes", "5")
            assert done.code == 0
            first, second = done.out.splitlines()
            assert first.startswith("PIN ")
            assert (
                second == f"Type it at http://{listen} within 5 min; then the page is locked again."
            )
            done = await typed(gateway, "page", "lock")
            assert (done.code, done.out) == (0, "the page is locked for everybody\n")
            done = await typed(gateway, "page", "lock", "--json")
            assert done.json == {"locked": True}
            assert (await typed(gateway, "page", "unlock", "--minutes", "0")).code == 1
        gateway.configure(1, tcp("meter", port))
        done = await typed(gateway, "page", "unlock")
        assert done.code == 3


async def test_a_gateway_without_a_page_says_how_to_have_one(tmp_path):
    async with tcp_server(device(1, [(0, [1, 2])])) as port:
        async with running(tmp_path, tcp("meter", port)) as gateway:
            done = await typed(gateway, "page", "unlock")
    assert done.code == 1
    assert "this gateway has no page; write [page]" in done.err
