"""The pages about adapters, kernels, profiles say what the code says, and it says it of all."""

import pytest

from citytwin_edge import plugins
from citytwin_edge.catalogue.calculations import Calculation, calculation
from citytwin_edge.catalogue.capabilities import Capabilities, described
from citytwin_edge.catalogue.documents import documents, kernel_documents
from citytwin_edge.catalogue.fields import Table, tables
from citytwin_edge.catalogue.installed import own
from citytwin_edge.catalogue.shelf import Shelf
from citytwin_edge.device_tables import DeviceSection, PointSection
from citytwin_edge.kernel_tables import KernelSection
from tests.tidy.sources import ROOT, report

MAKE = "make docs ARGS=adapters kernels"
DOCS = ROOT / "docs"


def known() -> list[Capabilities]:
    return [described(name, Shelf([])) for name in own(plugins.ADAPTERS)]


def kernels() -> list[Calculation]:
    return [calculation(name) for name in own(plugins.KERNELS)]


def unsaid(all_tables: list[Table]) -> list[str]:
    """Return the tables and fields that have no meaning."""
    wrong = [table.name for table in all_tables if not table.meaning]
    return wrong + [
        f"{table.name}.{field.name}"
        for table in all_tables
        for field in table.fields
        if not field.meaning
    ]


PAGES = documents() | kernel_documents()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_the_code_says(name: str) -> None:
    path = DOCS / name
    assert path.exists(), f"docs/{name} is missing; run: {MAKE}"
    written = path.read_text(encoding="utf-8")
    assert written == PAGES[name], f"docs/{name} is old; run: {MAKE}"


def test_no_page_is_of_what_is_gone() -> None:
    folders = ("adapters", "profiles")
    there = {f"{one}/{path.name}" for one in folders for path in (DOCS / one).glob("*.md")}
    report("These pages are made no more; remove them:", sorted(there - documents().keys()))


def test_every_field_has_a_meaning() -> None:
    wrong = [f"{one.name}: {what}" for one in known() for what in unsaid([*one.device, *one.point])]
    common = tables(DeviceSection, "device") + tables(PointSection, "device.point")
    wrong += [f"every device: {what}" for what in unsaid(common)]
    wrong += [f"{one.name}: {what}" for one in kernels() for what in unsaid([*one.fields])]
    wrong += [f"every kernel: {what}" for what in unsaid(tables(KernelSection, "kernel"))]
    report("The Attributes section of their structs does not say what these mean:", wrong)


def test_every_adapter_says_what_it_is_and_can() -> None:
    wrong = [
        f"{one.name}: {what}"
        for one in known()
        for what in ("title", "distribution", "guide", "can", "forms", "reasons", "refuses")
        if not getattr(one, what)
    ]
    wrong += [f"{one.name}: {form.name}" for one in known() for form in one.forms if not form.can]
    report("The code of these adapters does not say it:", wrong)


def test_every_kernel_says_what_it_is_and_reads_and_gives() -> None:
    wrong = [
        f"{one.name}: {what}"
        for one in kernels()
        for what in ("domain", "summary", "about", "distribution", "inputs", "outputs")
        if not getattr(one, what)
    ]
    wrong += [
        f"{one.name}: label of {point.name} in {language}"
        for one in kernels()
        for point in one.outputs or ()
        for language in ("kk", "ru", "en")
        if language not in point.label
    ]
    report("The code of these kernels does not say it:", wrong)


def test_an_adapter_and_its_guide_lead_to_each_other() -> None:
    wrong = [
        f"{one.guide}: adapters/{one.name}.md"
        for one in known()
        if f"(../adapters/{one.name}.md)" not in (ROOT / one.guide).read_text(encoding="utf-8")
    ]
    report("These guides have no link to the page:", wrong)


def test_every_adapter_installed_here_is_ours() -> None:
    # Else the pages and the tests above would leave one out without a word.
    assert own(plugins.ADAPTERS) == sorted(plugins.installed())
    assert own(plugins.KERNELS) == sorted(plugins.installed(plugins.KERNELS))


def test_what_is_unsaid_is_found() -> None:
    class Silent(DeviceSection, kw_only=True):
        """Something."""

        colour: str = ""

    assert unsaid(tables(Silent, "device")) == ["device.colour"]
