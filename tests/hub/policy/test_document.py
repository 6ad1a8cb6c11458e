"""Policy: what is wrong in a file is said with its line; roles come together as they should."""

import json

import pytest

from citytwin.errors import ConfigError
from citytwin_hub.policy.document import load
from citytwin_hub.policy.grants import Act

READS = '[[role.a.may]]\nacts = ["read"]\n'


def test_the_shipped_roles():
    policy = load()
    assert set(policy.roles) == {
        "admin", "dispatcher", "operator", "planner", "public", "technician", "vendor", "viewer",
    }  # fmt: skip
    assert policy.public is None
    assert policy.rights(["admin"]).acts == frozenset(Act)
    assert policy.rights(["operator"]).is_unlimited
    assert not policy.rights(["planner"]).is_unlimited
    assert policy.rights(["gone"]).acts == frozenset()
    assert policy.rights(["viewer", "operator"]) is policy.rights(["operator", "viewer"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[role.a]\nwords = 3\n[[role.a.may]]\nacts = ["read"]', ':2: table "role", table "a"'),
        ("[role.a]\nwrong = 3", ":2: "),
        ("[role.a]", "it may nothing"),
        ('[role.A]\n[[role.A.may]]\nacts = ["read"]', "no name of a role"),
        ('[role.admin]\n[[role.admin.may]]\nacts = ["read"]', "cannot be replaced"),
        ("[role.a]\n[[role.a.may]]\nacts = []", ":3: "),
        ('[role.a]\n[[role.a.may]]\nacts = ["reads"]', "there is no act 'reads'"),
        ('[role.a]\n[[role.a.may]]\nacts = ["read"]\ntypes = []', "names nothing"),
        ('[role.a]\n[[role.a.may]]\nacts = ["read"]\narea = "x"', ":4: "),
        ("[role.a]\ndelay_s = -1\n" + READS, ":2: "),
        ("[role.a]\nmean_s = 0.5\n" + READS, "0, or 1 and more"),
        ("[role.a]\nround = { x = 0.0 }\n" + READS, "a step is above 0"),
        ('[role.a]\ndelay_s = 1\n[[role.a.may]]\nacts = ["write"]', "may only read"),
        (READS + 'points = ["*"]\ntypes = ["Pump"]', "make two tables"),
        ('[role.a]\n[[role.a.may]]\nacts = ["write"]\npoints = ["*"]', "read and commanded only"),
        ("[area.m]\nbox = [2.0, 1.0, 1.0, 3.0]", ":2: "),
        ('[area.m]\nfile = "none.geojson"', "none.geojson is not GeoJSON"),
        ('[area.m]\nfile = "line.geojson"', "something else than polygons"),
        ("[area.m]", "either a file or a box"),
        ('[public]\nrole = "x"', "there is no role 'x'"),
        ('[public]\nenabled = true\nrole = "operator"', "may more than read"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, words):
    line = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    (tmp_path / "line.geojson").write_text(json.dumps(line))
    path = tmp_path / "policy.toml"
    path.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:")
    assert words in str(caught.value)


def test_an_area_is_all_polygons_of_a_file(tmp_path):
    square = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
    far = [[5, 5], [6, 5], [6, 6], [5, 5]]
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for ring in (square, far)
    ]
    collection = {"type": "FeatureCollection", "features": features}
    (tmp_path / "m.geojson").write_text(json.dumps(collection))
    path = tmp_path / "policy.toml"
    path.write_text('[area.m]\nfile = "m.geojson"\n[role.a]\n' + READS + 'area = "m"\n')
    [grant] = load(path).rights(["a"]).grants
    assert grant.area is not None
    assert grant.area.geometry.bounds == (1, 1, 6, 6)


def test_of_several_roles_those_count_that_see_least_late(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        "[role.a]\n" + READS + "[role.late]\ndelay_s = 60\n" + READS.replace("a.m", "late.m")
    )
    policy = load(path)
    assert (policy.rights(["late"]).is_coarse, policy.rights(["late"]).delay_ns) == (
        True,
        60 * 10**9,
    )
    both = policy.rights(["a", "late"])
    assert (both.is_coarse, both.grants) == (False, policy.rights(["a"]).grants)
