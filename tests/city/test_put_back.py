"""An older copy of a gateway's state is put back: what is read from then on is all there."""

import shutil

import pytest

from tests.faults.books import Watched, opened
from tests.faults.meters import Meter, serving
from tests.site import Site

pytestmark = pytest.mark.timeout(300)


async def test_an_image_that_is_written_back_to_the_card_costs_no_sample(tmp_path):
    site, meter = Site(tmp_path / "site"), Meter("m")
    copy, begins = tmp_path / "image", []
    try:
        await site.start_hub()
        async with serving(meter):
            gateway = site.gateway("g")
            gateway.configure(site.link, meter.table())
            await site.admit(gateway)
            watched = Watched(gateway, meter)
            for life in range(3):
                if life == 2:
                    shutil.rmtree(gateway.state)
                    shutil.copytree(copy, gateway.state)
                begins.append(meter.answers)
                await watched.start()
                await meter.more(30)
                if life < 2:
                    await gateway.stop()
                if life == 0:
                    shutil.copytree(gateway.state, copy)
            await watched.finish()
        books = await opened(site, watched)
        seen = set(books.of("m", "r0").value.tolist())
        last = max(seen)
        assert last >= meter.answers - 1, "the last answer may have come as the agent ended"
        missing = [n for n in range(begins[2] + 2, int(last) + 1) if n not in seen]
        assert missing == []
        assert len(gateway.said("uplink.outbox_put_back")) == 1
        await site.hub.stop()
    finally:
        await site.end()
