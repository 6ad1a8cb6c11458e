"""The pages of profiles: each under its vendor, and on the page of its kind what to know of it."""

import re

import pytest

from citytwin_edge.catalogue.natures import nature
from citytwin_edge.catalogue.profiles_page import INDEX, anchor, profiles_pages
from citytwin_edge.catalogue.shelf import OURS, Shelf
from tests.edge.catalogue.profiles import METER, put, shelf

BYTES_MAX = 100_000
"""Renderers of Markdown become slow, or show the source, beyond some hundred kilobytes."""


@pytest.fixture(scope="module")
def ours():
    return profiles_pages(Shelf([OURS]))


def test_a_profile_is_found_by_its_vendor(tmp_path):
    put(tmp_path)
    text = profiles_pages(shelf(tmp_path))[INDEX]
    assert text.startswith("# Profiles\n")
    assert "\n1 device types that need no points" in text
    assert "- [Electricity](electricity.md): 1\n" in text
    head, row = text.partition("## By vendor")[2].strip().splitlines()[::2]
    assert len(head.split("|")) == len(row.split("|"))
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "Acme", "M1", "Meter", "Electricity", "[`acme/m1`](electricity.md#acmem1)",
        "[modbus](../adapters/modbus.md)", "manual", "manual", "real",
        "knows it",
    ]  # fmt: skip


def test_a_command_that_stays_without_the_hub_is_told(tmp_path):
    put(tmp_path, METER.replace("failsafe = 0", 'failsafe = "hold"'))
    page = profiles_pages(shelf(tmp_path))["electricity.md"]
    assert (
        "1 of them can be commanded (when the hub is gone, what was commanded last stays)" in page
    )


def test_what_to_know_of_it_stands_on_the_page_of_its_kind(tmp_path):
    put(tmp_path)
    page = profiles_pages(shelf(tmp_path))["electricity.md"]
    assert page.partition("## `acme/m1`\n\n")[2] == (
        "**Acme M1**: Meter. 4 points, 1 of them can be commanded (when the hub is gone, "
        "set to a safe value: 1); adapter [modbus](../adapters/modbus.md). Registers by: manual; "
        "order by: manual; frames: real.\n\n"
        "- Answers after 300 ms only. ([source](https://acme.example/faq))\n\n"
        "Made from [M1 manual](https://acme.example/m1.pdf), pages 4.\n"
    )


def test_vendors_stand_in_the_order_of_letters_whatever_their_folders(tmp_path):
    put(tmp_path)
    folder = tmp_path / "profiles" / "zz"
    folder.mkdir()
    (folder / "m2.toml").write_text(METER.replace('"Acme"', '"aaa"'))
    text = profiles_pages(shelf(tmp_path))[INDEX]
    assert text.index("| aaa |") < text.index("| Acme |")


def test_the_shelf_is_there_whole_and_every_link_has_its_heading(ours):
    names = set(Shelf([OURS]).names())
    linked = dict(re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", ours[INDEX]))
    assert set(linked) == names
    for name, link in linked.items():
        page, _, at = link.partition("#")
        headings = re.findall(r"^## `(.*)`$", ours[page], re.MULTILINE)
        assert [one for one in headings if anchor(one) == at] == [name]


def test_each_kind_has_a_page_and_none_is_too_long_to_be_shown(ours):
    kinds = {Shelf([OURS]).profile(name).file.nature for name in Shelf([OURS]).names()}
    assert set(ours) == {INDEX, *(f"{name}.md" for name in kinds)}
    assert {name: len(text) for name, text in ours.items() if len(text) > BYTES_MAX} == {}
    for name in kinds:
        assert ours[f"{name}.md"].startswith(f"# Profiles: {nature(name).title.en}\n")
