"""The report: counts of all, lines of some, and a page that shows nothing as markup."""

from citytwin_hub.importers import report
from citytwin_hub.importers.frame import Draft, Note, Refusal, Settings


def test_all_is_counted_and_some_is_listed(tmp_path):
    told = report.Report("gis", "f.csv", "csv")
    for number in range(report.LINES_MAX + 5):
        told.refuse(Refusal(f"f.csv:{number}", "d", "it is <b>no</b> number", "correct it"))
        told.vanish(f"urn:{number}")
    told.refuse(Refusal("f.csv:1", "d", "bad", "correct it", whole=False))
    told.read(Draft(Settings(tmp_path, "gis"), "Pipe", "1", "f.csv:1").record())
    told.note(Note("once"))
    told.note(Note("once"))
    shown = told.as_json()
    assert (shown["refused"], shown["partly"]) == (report.LINES_MAX + 5, 1)
    assert (len(shown["lines"]), len(shown["gone"])) == (report.LINES_MAX, report.LINES_MAX)
    assert (shown["read"], shown["notes"]) == ({"Pipe": 1}, ["once"])
    page = report.page(shown)
    assert "<b>no" not in page
    assert "&lt;b&gt;no" in page
    text = list(report.text(shown))
    assert len(text) < 60
    assert f"… and {report.LINES_MAX + 6 - report.SHOWN_MAX} more: see --report FILE" in text
    assert "f.csv:0: d: it is <b>no</b> number; correct it" in text
