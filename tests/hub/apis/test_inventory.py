"""The inventory over REST and as a page, of a hub with a city in which faults are planted."""

import pytest

from citytwin_hub.access import Role
from citytwin_hub.apis import inventory as api
from tests.hub.entities.planted import at, healthy, made, node, pipe


@pytest.fixture
def city(running):
    entities = running.hub.broker.tenant().entities
    for one in [
        *healthy(),
        node(9, 4000, 0),
        pipe("<x>", "0", "gone", [(0, 0), (0, 50)]),
        made("Building", "bow", "Polygon", [(0, 90), (9, 99), (9, 90), (0, 99)]),
    ]:
        entities.create(one)
    return running


async def asked(running, path="inventory", role=Role.VIEWER, **query):
    async with running.client(role) as web:
        return await web.get(path, params=query)


async def test_what_is_wrong_is_found(city):
    found = (await asked(city)).json()
    assert found["classes"] == {"Junction": 7, "Pipe": 6, "Building": 1}
    assert found["counts"] == {"invalid": 1, "astray": 1, "untied": 1}
    assert {one["kind"] for one in found["findings"]} == set(found["counts"])
    assert found["titles"]["gap"]["ru"] == "Разрывы"
    only = (await asked(city, type="Building")).json()
    assert (only["classes"], only["counts"]) == ({"Building": 1}, {"invalid": 1})
    within = ",".join(str(one) for one in (*at(-100, -100), *at(900, 900)))
    assert (await asked(city, within=within)).json()["counts"]["outside"] == 1
    part = ",".join(str(one) for one in (*at(-10, -10), *at(110, 10)))
    assert (await asked(city, bbox=part)).json()["classes"] == {"Junction": 3, "Pipe": 4}


async def test_the_page_shows_it_and_no_markup_of_others(city):
    answer = await asked(city, "inventory/page", lang="kk")
    assert answer.headers["content-type"].startswith("text/html")
    assert "Жоқ нысанға сілтеме: 1" in answer.text
    assert "%3Cx%3E" in answer.text
    assert "<x>" not in answer.text


async def test_what_cannot_be_meant_is_refused(city):
    assert (await asked(city, bbox="5,5,1,1")).status_code == 422
    assert (await asked(city, bbox="here")).status_code == 422
    assert (await asked(city, tenant="nowhere")).status_code == 404


async def test_one_at_a_time(city):
    with api._turn:
        assert (await asked(city)).status_code == 409
    assert (await asked(city)).status_code == 200
