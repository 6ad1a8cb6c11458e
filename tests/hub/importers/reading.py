"""What the tests of the importers share: reading a file, and looking at what came."""

from collections import Counter
from typing import Any

from citytwin_hub.importers.frame import Note, Record, Refusal, Settings, importer
from citytwin_hub.jsonld.processing import CORE


class Came:
    """Everything that an importer yields, sorted."""

    def __init__(self, format_, path, source="s", **settings):
        found = list(importer(format_)(Settings(path, source, **settings)))
        self.records = {one.entity.id: one for one in found if isinstance(one, Record)}
        self.list = [one for one in found if isinstance(one, Record)]
        self.refusals = [one for one in found if isinstance(one, Refusal)]
        self.notes = [one.text for one in found if isinstance(one, Note)]

    @property
    def kinds(self):
        """How many came of each class."""
        return dict(Counter(one.entity.id.split(":")[2] for one in self.list))

    def attribute(self, urn, name) -> Any:
        """Return an attribute of an object; None: it has none."""
        return self.records[urn].entity.attribute(CORE.expand(name))

    def value(self, urn, name) -> Any:
        """Return the value of an attribute; None: it has none."""
        found = self.attribute(urn, name)
        return None if found is None else found.value
