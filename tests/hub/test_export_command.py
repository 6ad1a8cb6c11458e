"""What `citytwin-hub export-entities` asks for; with a real hub: ogc/test_exporting.py."""

import argparse

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub import export_command


class Hub:
    """Notes what is asked for (the real one: tests/hub/apis/ogc/test_exporting.py)."""

    def __init__(self, fails=False):
        self.asked, self._fails = [], fails

    def download(self, path, file, **query):
        self.asked.append((path, query))
        if self._fails:
            raise CityTwinError("the hub broke off")
        file.write(b"x")
        return {"citytwin-features": "7"}


def options(*line):
    parser = argparse.ArgumentParser()
    export_command.add_to(parser)
    return parser.parse_args(line)


def test_only_what_is_given_is_asked_for(tmp_path):
    hub, out = Hub(), tmp_path / "out"
    line = ("Fire Hydrant", "--format", "geoparquet", "--crs", "[EPSG:32643]", "-o", str(out))
    found = export_command.answer(options(*line), hub)
    assert list(export_command.lines(None, found)) == [f"7 entities in {out}"]
    path, query = hub.asked[0]
    assert path == "/ogc/features/v1/collections/Fire%20Hydrant/export"
    assert query == {"f": "geoparquet", "crs": "[EPSG:32643]"}
    assert out.read_bytes() == b"x"


def test_a_file_is_whole_or_not_there(tmp_path):
    with pytest.raises(CityTwinError):
        export_command.answer(options("Tank", "-o", str(tmp_path / "out")), Hub(fails=True))
    assert list(tmp_path.iterdir()) == []
