"""Pages of features, and one of them."""

import pytest

from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import serving

TANKS = "/ogc/features/v1/collections/Tank/items"


def link_of(answer, rel):
    return next((one["href"] for one in answer.json()["links"] if one["rel"] == rel), None)


async def test_pages_lead_through_all_features_while_the_city_changes(tmp_path):
    async with serving(tmp_path) as (http, broker):
        seen, url = [], TANKS + "?limit=10"
        while url:
            answer = await http.get(url)
            page = answer.json()
            assert answer.headers["content-type"] == "application/geo+json"
            assert page["numberReturned"] == len(page["features"]) <= 10
            seen += [one["id"] for one in page["features"]]
            if len(seen) == 10:
                assert page["numberMatched"] == 25
                broker.tenant().entities.delete(
                    seen[-1]
                )  # the next page begins behind it all the same
            url = link_of(answer, "next")
        assert seen == [f"urn:ngsi-ld:Tank:{number}" for number in range(25)]


async def test_a_limit_has_a_limit(tmp_path):
    async with serving(tmp_path) as (http, _):
        assert (await http.get(TANKS + "?limit=1000000")).json()["numberReturned"] == 25
        for wrong in ("0", "-1", "x", "1.5", "", "9" * 30):
            answer = await http.get(TANKS, params={"limit": wrong})
            assert (answer.status_code, problem(answer)) == (400, "BadRequestData")


async def test_one_feature_in_metres(tmp_path):
    async with serving(tmp_path) as (http, _):
        url = TANKS + "/urn:ngsi-ld:Tank:5"
        system = "http://www.opengis.net/def/crs/EPSG/0/32643"
        answer = await http.get(url, params={"crs": system})
        assert answer.headers["content-crs"] == f"<{system}>"
        assert answer.json()["geometry"]["coordinates"] == pytest.approx(
            [654_692, 4_785_010], abs=999
        )
        assert str(link_of(answer, "self")).endswith("/urn:ngsi-ld:Tank:5")
        plain = await http.get(url)
        assert plain.headers["content-crs"].endswith("CRS84>")
        assert plain.json()["geometry"]["coordinates"] == [76.905, 43.2]


async def test_what_is_not_there_is_said_so(tmp_path):
    async with serving(tmp_path) as (http, _):
        for path in (
            "/ogc/features/v1/collections/None/items",
            TANKS + "/urn:ngsi-ld:Tank:99",
            TANKS + "/urn:ngsi-ld:Pipe:1",
        ):
            answer = await http.get(path)
            assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
        for params in ("crs=EPSG:1", "f=xml", "limit=1&limit=2"):
            assert (await http.get(f"{TANKS}?{params}")).status_code == 400
        answer = await http.get(TANKS, headers={"NGSILD-Tenant": "other"})
        assert (answer.status_code, problem(answer)) == (404, "NonexistentTenant")
