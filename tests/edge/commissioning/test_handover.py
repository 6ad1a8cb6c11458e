"""Hand-over reports: signed, readable, and broken by any change."""

import base64
import re

import pytest

from citytwin import SystemClock
from citytwin.errors import CityTwinError
from citytwin_edge.commissioning.handover import sealed, verified
from citytwin_edge.enrol import load
from citytwin_hub.authority import Authority
from tests.edge.small_hub import identity_of

REPORT = {
    "gateway": "ph-7",
    "time": "2026-11-26T04:00:00Z",
    "by": "Асель <b>",
    "note": "",
    "software": "citytwin-edge 0.1.0",
    "config": {"path": "edge.toml", "sha256": "ab" * 32},
    "devices": [
        {
            "name": "meter",
            "profile": "eastron/sdm120",
            "adapter": "modbus",
            "result": "2 of 2 points plausible",
            "points": [
                {"point": "voltage", "value": 230.2, "plausible": "ok"},
                {"point": "power", "value": None, "plausible": "not read"},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    authority = Authority(folder / "a", SystemClock().now_ns())
    identity_of(authority, "ph-7", folder / "state", "127.0.0.1:1")
    return load(folder / "state", "ph-7")


@pytest.fixture(scope="module")
def page(gateway):
    return sealed(REPORT, gateway.key, gateway.certificate)


def test_a_report_says_who_signed_it(gateway, page):
    found = verified(page, gateway.authority)
    assert found.report == REPORT
    assert (found.gateway, found.by_authority) == ("ph-7", True)
    assert verified(page).by_authority is None


def test_people_read_what_was_signed(page):
    assert "<td>230.2</td>" in page
    assert "Асель &lt;b&gt;" in page
    assert '<td class="no">not read</td>' in page
    assert "http" not in page, "it needs nothing from elsewhere"


def test_a_certificate_of_another_authority_is_told(gateway, page, tmp_path):
    other = Authority(tmp_path / "b", SystemClock().now_ns())
    identity_of(other, "ph-7", tmp_path / "state", "127.0.0.1:1")
    foreign = load(tmp_path / "state", "ph-7").authority
    assert verified(page, foreign).by_authority is False


def replaced(page, part, change):
    def new(match):
        return f'id="{part}">{base64.b64encode(change(base64.b64decode(match[1]))).decode()}<'

    return re.sub(rf'id="{part}">([A-Za-z0-9+/=]*)<', new, page)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda page: replaced(page, "report", lambda body: body.replace(b"230.2", b"231.2")),
         "changed after the gateway signed it"),
        (lambda page: page.replace("<td>230.2</td>", "<td>231.2</td>"), "is not what the gateway"),
        (lambda page: page.replace("</body>", "<p>accepted</p></body>"), "is not what the gateway"),
        (lambda page: replaced(page, "signature", lambda body: body[:-1] + b"\0"), "changed after"),
        (lambda page: page[:-2000], "no report"),
        (lambda page: "", "no report"),
        (lambda page: replaced(page, "certificate", lambda _: b"x"), "no report"),
    ],
)  # fmt: skip
def test_any_change_is_found(page, change, words):
    with pytest.raises(CityTwinError, match=words):
        verified(change(page))
