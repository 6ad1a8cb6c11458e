"""The families of devices that the project set out to read: on our shelf, or named as missing."""

from pathlib import Path

import pytest

from citytwin_edge.catalogue.shelf import OURS, Shelf

SHELF = Shelf([OURS])
LEAST = 40
FAMILIES = {
    "Eastron SDM120, SDM230, SDM630, SDM72": [
        "eastron/sdm120", "eastron/sdm230", "eastron/sdm630", "eastron/sdm72d-m-2",
    ],
    "Schneider iEM3xxx": [
        "schneider/iem3150-iem3250-iem3350", "schneider/iem3155", "schneider/iem3255",
        "schneider/iem3355",
    ],
    "Schneider PM5xxx": ["schneider/pm5100-pm5300"],
    "ABB B23, B24": ["abb/b23-b24"],
    "Carlo Gavazzi EM24, EM340": [
        "carlo-gavazzi/em24-rs485", "carlo-gavazzi/em24-ethernet", "carlo-gavazzi/em340",
    ],
    "Siemens PAC3200": ["siemens/pac3200"],
    "Janitza UMG": ["janitza/umg-604", "janitza/umg-96rm"],
    "Socomec": [
        "socomec/countis-e24", "socomec/countis-e34-e44", "socomec/diris-a10",
        "socomec/diris-a14", "socomec/diris-b30",
    ],
    "Kamstrup MULTICAL": ["kamstrup/multical-x03-modbus", "kamstrup/multical-603-mbus"],
    "Landis+Gyr, Diehl": ["landis-gyr/ultraheat-t230-mbus", "diehl/sharky-775"],
    "Siemens heat and flow": ["siemens/wfh21-mbus", "siemens/mag-5000-6000"],
    "Взлёт": ["vzljot/tsrv-026m"],
    "ТЭМ": ["arvas/tem-104"],
    "Пульсар": ["teplovodokhran/pulsar-heat", "teplovodokhran/pulsar-water"],
    "Grundfos CIM": ["grundfos/cim-pump", "grundfos/cim-booster"],
    "Danfoss FC": ["danfoss/vlt-micro-fc-51", "danfoss/vlt-fc-102-202-302"],
    "ABB ACS": ["abb/acs355"],
    "Schneider ATV": ["schneider/altivar-312", "schneider/altivar-320"],
    "pressure, level, flow": ["keller/series-33x", "vega/vegapuls-60", "tuf/tuf-2000m"],
    "soil, weather, air": ["jxct/soil-7-in-1", "vaisala/wxt530", "plantower/pmsx003"],
    "inverters": ["huawei/sun2000", "sma/sunny-tripower", "fronius/sunspec-float"],
    "traffic and people": ["parametric/tcr", "parametric/pcr2", "milesight/vs133"],
    "Wago, Moxa, Advantech ADAM": ["wago/750-352", "moxa/iologik-e1210", "advantech/adam-4150"],
}  # fmt: skip
MISSING = (
    "SonoMeter", "СПТ941", "Карат-307", "ТЭМ-106", "ТСРВ-024", "PM5560", "ACS580", "ACQ580",
    "Wavetronix", "Piezus",
)  # fmt: skip
"""Words of a device's name that stand in the document as without a public map."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_on_the_shelf(family):
    assert [name for name in FAMILIES[family] if name not in SHELF.names()] == []


def test_there_are_more_than_was_promised():
    promised = {name for names in FAMILIES.values() for name in names}
    assert len(promised) >= LEAST
    assert len(SHELF.names()) >= 5 * LEAST


@pytest.mark.parametrize("word", MISSING)
def test_what_is_missing_is_said_until_it_is_there(word):
    document = Path(__file__).parents[2] / "docs" / "specs" / "profile.md"
    section = document.read_text().partition("### Devices still without a public map")[2]
    assert word in section
    models = [SHELF.profile(name).file.model for name in SHELF.names()]
    assert [model for model in models if word in model] == [], "take it out of the document"


def test_every_family_counts_traffic_by_a_nature_of_its_own():
    natures = {SHELF.profile(name).file.nature for name in FAMILIES["traffic and people"]}
    assert natures == {"traffic"}
