"""The page of kernels has what is known, says what is not, and its examples can be read."""

import re
import tomllib

from citytwin_edge.catalogue.adapter_page import UNSAID
from citytwin_edge.catalogue.calculations import calculation
from citytwin_edge.catalogue.fields import tables
from citytwin_edge.catalogue.kernels_page import kernels_page, page, sentence
from citytwin_edge.kernel_tables import KernelSection
from tests.edge.catalogue.installed_ohm import ohm
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


def test_what_it_says_is_shown(tmp_path, monkeypatch):
    with ohm(tmp_path, monkeypatch):
        text = page(calculation("ohm"))
    assert text.startswith("# `ohm`\n\npower of a voltage and a current, after Ohm (1827).\n")
    assert "\n    P = U I\n" in text
    assert '  "device/point",  # voltage, V\n  "device/point",  # power | factor, no unit\n' in text
    assert "# factor = …\n" in text
    assert "| `power` | `W` | analog | Power | `activePower` |" in text
    assert "| `factor` | how many there are. | number, above 0 up to 10 | must be there |" in text
    assert "`[kernel.limits]`: What can be." in text
    assert "It is refused when the sun does not shine." in text
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(tomllib.loads(block)["kernel"][0]["inputs"]) == 2


def test_what_a_vendor_does_not_say_is_shown_as_unsaid(vendor):
    text = page(calculation("total"))
    assert f"What it gives: {UNSAID}" in text
    assert f"# which: {UNSAID}" in text
    assert f"| `factor` | {UNSAID} | number | `1` |" in text


def test_all_are_on_one_page(vendor):
    text = kernels_page([calculation("total")], tables(KernelSection, "kernel")[0])
    assert "| [`total`](#total) |" in text
    assert "\n## Others\n\n### `total`\n" in text
    assert "| `inputs` | device/point of each input" in text


def test_a_sentence_ends():
    assert [sentence(text) for text in ("", "a", "b.")] == ["", "a.", "b."]
