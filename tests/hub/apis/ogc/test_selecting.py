"""Which features a request chooses, and that the store leaves out what cannot be chosen."""

import pytest

from citytwin_hub.apis.ogc.selecting import json_type
from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import serving

TANKS = "/ogc/features/v1/collections/Tank/items"
BUILDINGS = "/ogc/features/v1/collections/Building/items"


async def ids(http, path, **params):
    answer = await http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [int(one["id"].rpartition(":")[2]) for one in answer.json()["features"]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"bbox": "76.9035,43,76.9055,44"}, [4, 5]),
        ({"bbox": "76.9035,43,0,76.9055,44,9"}, [4, 5]),
        ({"bbox": "76.9,43.2,76.9,43.2"}, [0]),
        ({"bbox": "76.9,43,76.9,44"}, [0]),
        ({"bbox": "0,0,0,0"}, []),
        ({"bbox": "179,43.2,76.9005,43.2"}, [0]),
        ({"bbox": "170,43,76.9005,44"}, [0]),  # over the antimeridian
        ({"bbox": "43,76.9035,44,76.9055", "bbox-crs": "[EPSG:4326]"}, [4, 5]),
        ({"bbox": "654730,4784300,654890,4785500", "bbox-crs": "[EPSG:32643]"}, [5, 6]),
        ({"level": "2.5"}, [5]),
        ({"level": "2.50"}, [5]),
        ({"level": "x"}, []),
        ({"closed": "true", "filter": "level < 2"}, [0, 2]),
        ({"name": "Tank 7"}, []),
        ({"name": "Tank 7", "lang": "en"}, [7]),
        ({"filter": "name = 'Резервуар 7'", "lang": "ru"}, [7]),
        (
            {"filter": '{"op":"<","args":[{"property":"level"},1]}', "filter-lang": "cql2-json"},
            [0, 1],
        ),
        (
            {"filter": "S_INTERSECTS(geometry, BBOX(43, 76.9035, 44, 76.9055))",
             "filter-crs": "http://www.opengis.net/def/crs/EPSG/0/4326"},
            [4, 5],
        ),
        ({"filter": "forecast IS NULL AND level = 1.5"}, [3]),
        ({"datetime": "2023-11-14T22:13:20Z", "level": "1"}, [2]),
        ({"datetime": "../2023-11-14T22:13:19Z"}, []),
        ({"datetime": "2023-11-14T22:13:21Z/.."}, []),
        ({"datetime": "2023-11-14T22:00:00Z/", "level": "1"}, [2]),
    ],
)  # fmt: skip
async def test_a_request_chooses(tmp_path, params, expected):
    async with serving(tmp_path) as (http, _):
        assert await ids(http, TANKS, **params) == expected


async def test_what_has_no_place_is_in_no_box(tmp_path):
    async with serving(tmp_path) as (http, _):
        assert await ids(http, BUILDINGS) == [1, 2]
        assert await ids(http, BUILDINGS, bbox="-180,-90,180,90") == [1]


@pytest.mark.parametrize(
    "params",
    [
        {"bbox": "1,2,3"}, {"bbox": "a,b,c,d"}, {"bbox": "1,nan,3,4"}, {"bbox": "1,5,3,4"},
        {"bbox": "9,5,3,6", "bbox-crs": "[EPSG:3857]"}, {"bbox-crs": "EPSG:1"},
        {"bbox": "-1e300,0,1e300,1", "bbox-crs": "[EPSG:32643]"},
        {"datetime": "today"}, {"datetime": "../.."}, {"datetime": ""},
        {"datetime": "2023-11-15T00:00:00Z/2023-11-14T00:00:00Z"},
        {"filter": "level >"}, {"filter": "nowhere = 1"},
        {"filter": "{", "filter-lang": "cql2-json"},
        {"filter": "level > 1", "filter-lang": "sql"}, {"nowhere": "1"}, {"lang": "?;q=x"},
        {"filter": "1", "filter-lang": "cql2-json"},
    ],
)  # fmt: skip
async def test_what_cannot_be_understood_is_refused(tmp_path, params):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(TANKS, params=params)
        assert answer.status_code == 400
        assert problem(answer) in ("BadRequestData", "InvalidRequest")


async def test_the_store_is_asked_for_the_box_only(tmp_path):
    async with serving(tmp_path) as (http, broker):
        asked = []
        store = broker.tenant().store
        real = store.candidates

        def candidates(hints):
            for one in real(hints):
                asked.append(one.id)
                yield one

        store.candidates = candidates
        assert await ids(http, TANKS, bbox="76.9035,43,76.9055,44") == [4, 5]
        assert len(asked) == 2
        asked.clear()
        assert await ids(http, TANKS, limit=3) == [0, 1, 2]
        assert len(asked) == 4  # one more tells that there is another page


def test_json_has_six_types():
    values = (True, None, 1, 1.5, "x", [1], {"a": 1})
    assert [json_type(one) for one in values] == [
        "boolean", "null", "number", "number", "string", "array", "object",
    ]  # fmt: skip
