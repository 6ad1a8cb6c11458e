"""Documents are of our own adapters; tests/tidy/test_pages.py compares them with docs/."""

from citytwin_edge import plugins
from citytwin_edge.catalogue.documents import documents, kernel_documents
from citytwin_edge.catalogue.installed import own


def test_there_is_a_page_for_each_and_links_lead_from_there():
    made = documents()
    assert {f"adapters/{name}.md" for name in own(plugins.ADAPTERS)} < made.keys()
    assert "(../guides/modbus.md)" in made["adapters/modbus.md"]
    assert "(../profiles/README.md)" in made["adapters/modbus.md"]
    assert "(README.md)" in made["adapters/modbus.md"]
    assert "(modbus.md)" in made["adapters/README.md"]
    assert "(electricity.md#eastronsdm120)" in made["profiles/README.md"]
    assert "## `eastron/sdm120`" in made["profiles/electricity.md"]


def test_kernels_have_one_page():
    (text,) = kernel_documents().values()
    assert "## Fields of every kernel" in text
    assert "| `inputs` |" in text
