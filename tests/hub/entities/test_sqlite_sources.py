"""Sources are kept in their order, across restarts."""

from contextlib import closing

import pytest
from msgspec.structs import replace

from citytwin_hub.entities.errors import AlreadyExists
from citytwin_hub.entities.sources import Information, Interval, Known, Mode, Source
from citytwin_hub.entities.sqlite_sources import SqliteSources

FULL = Source(
    id="urn:x:1", endpoint="http://h:1",
    information=(
        Information(entities=(Known(types=("t:1",), pattern="1$"),), properties=("t:p",)),
        Information(relationships=("t:r",)),
    ),
    mode=Mode.REDIRECT, operations=("retrieveOps",), info=(("a", "b"),), scopes=("/A",),
    management={"localOnly": True}, observed=Interval(1, 2), managed=Interval(3),
    places={"location": {"type": "Point", "coordinates": [1, 2]}}, expires_ns=9,
    properties={"t:x": [1, "two", None]}, created_ns=1, modified_ns=2,
)  # fmt: skip


def test_what_was_put_is_there_after_a_restart(tmp_path):
    path = tmp_path / "sources.db"
    with closing(SqliteSources(path)) as store:
        store.add(FULL)
        store.add(replace(FULL, id="urn:x:0"))
        store.add(replace(FULL, id="urn:x:2"))
        store.remove("urn:x:2")
        store.put(replace(FULL, id="urn:x:0", endpoint="http://h:2"))
        with pytest.raises(AlreadyExists, match="urn:x:1"):
            store.add(FULL)
    with closing(SqliteSources(path)) as store:
        assert store.all() == [FULL, replace(FULL, id="urn:x:0", endpoint="http://h:2")]
