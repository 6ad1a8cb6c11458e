"""Documents are of our own adapters; tests/tidy/test_pages.py compares them with docs/."""

from citytwin_edge.catalogue.documents import documents, own_adapters
from tests.edge.catalogue.installed_gauge import gauge


def test_a_vendors_adapter_has_no_page_here(tmp_path, monkeypatch):
    before = own_adapters()
    with gauge(tmp_path, monkeypatch):
        assert own_adapters() == before
    assert "modbus" in before


def test_there_is_a_page_for_each_and_links_lead_from_there():
    made = documents()
    assert {f"adapters/{name}.md" for name in own_adapters()} < made.keys()
    assert "(../guides/modbus.md)" in made["adapters/modbus.md"]
    assert "(../profiles/README.md)" in made["adapters/modbus.md"]
    assert "(README.md)" in made["adapters/modbus.md"]
    assert "(modbus.md)" in made["adapters/README.md"]
    assert "(electricity.md#eastronsdm120)" in made["profiles/README.md"]
    assert "## `eastron/sdm120`" in made["profiles/electricity.md"]
