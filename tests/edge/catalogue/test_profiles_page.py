"""The page of profiles has each under its nature, with what to know about it."""

from citytwin_edge.catalogue.profiles_page import profiles_page
from tests.edge.catalogue.profiles import put, shelf


def test_a_profile_is_listed_with_what_to_know(tmp_path):
    put(tmp_path)
    text = profiles_page(shelf(tmp_path))
    assert text.startswith("# Profiles\n")
    assert "\n1 device types that need no points" in text
    head, row = text.partition("## Electricity")[2].strip().splitlines()[::2]
    assert len(head.split("|")) == len(row.split("|"))
    for cell in ("`acme/m1`", "Acme", "[modbus](adapters/modbus.md)", "manual",
                 "Answers after 300 ms only. ([source](https://acme.example/faq))"):  # fmt: skip
        assert cell in row
