"""Profile: one device type as data, read from its TOML file (docs/specs/profile.md).

A profile says what every device of its type has alike; a gateway's ``[[device]]`` adds where the
one device is, and may change what is different there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from citytwin.config import Document
from citytwin.conversion import between
from citytwin.errors import ConfigError, UnitError
from citytwin.point import Label
from citytwin_edge.catalogue.natures import Nature, Quantity, nature

FRAMES: Final = ".frames.toml"
"""How the name of the golden frames beside a profile ends."""
POINTS_MAX: Final = 2000
TEXT_CHARS_MAX: Final = 2000
LINK_CHARS_MAX: Final = 500

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
Fields = dict[str, Any]

_ABOUT: Final = ("quantity", "phase", "page")
"""Fields of a point that the gateway's ``[[device.point]]`` does not have."""


def _check_link(text: str, field: str) -> None:
    if not text.startswith(("https://", "http://")) or len(text) > LINK_CHARS_MAX:
        raise ValueError(f"{field} is a public link: https://…")


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[evidence]``: who says so.

    Attributes:
        registers: ``manual``: read off a page of the vendor's manual; ``maps``: two public maps of
            independent authors agree; ``map``: one public map only; ``device``: a real device.
        order: the same for the order of bytes and words; ``assumed`` where no document that was
            seen says it, and a caveat must; ``none`` where there is nothing to order.
    """

    registers: Literal["manual", "maps", "map", "device"]
    order: Literal["manual", "maps", "map", "device", "assumed", "none"]


class Manual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[manual]]``: a public document that the profile was made from.

    Attributes:
        title: what it is called, with its version.
        url: where everybody can read it.
        pages: which pages of it the profile was made from.
    """

    title: Text
    url: str
    pages: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no link (ValueError)."""
        _check_link(self.url, "url")


class Caveat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[caveat]]``: what a technician must know, and where it is said.

    Attributes:
        text: what is to be known.
        link: where it is said, for whoever wants to know more.
    """

    text: Text
    link: str

    def __post_init__(self) -> None:
        """Refuse what is no link (ValueError)."""
        _check_link(self.link, "link")


class Identify(msgspec.Struct, frozen=True, kw_only=True):
    """``[[identify]]``: where the device says what it is, as fields of a point, and what it says.

    Attributes:
        said: instead of fields of a point: by which name a scan is told what the device is, such as
            the model that a bridge gives.
        equals: numbers or texts of which it must be one.
        within: [low, high] in which the number must lie; it is written ``in``.
        matches: regular expression that the text must match as a whole.
    """

    said: str = ""
    equals: tuple[int | float | str, ...] = ()
    within: Annotated[tuple[float, ...], msgspec.Meta(max_length=2)] = msgspec.field(
        default=(), name="in"
    )
    matches: str = ""

    def __post_init__(self) -> None:
        """Refuse what says nothing (ValueError)."""
        if not (self.equals or self.within or self.matches):
            raise ValueError("needs equals, in or matches: what the device says of itself")
        if len(self.within) == 1:
            raise ValueError("in is a list [low, high]")


class ProfileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile's file as a whole.

    Attributes:
        vendor: the maker, as it stands on the device.
        model: the type, as it stands on the device.
        title: what it is, for people, in three languages.
        adapter: which speaks to it.
        nature: what kind of device it is; it fixes which quantities there are, and their units.
        type: the NGSI-LD type (Smart Data Models) of what it measures.
        evidence: who says so.
        manual: the public documents that it was made from.
        caveat: what a technician must know of it.
        device: what its ``[[device]]`` has, unless a gateway says otherwise.
        example: a connection, for documents and checks; the adapter's own when left out.
        identify: where the device says what it is, for ``citytwin-edge scan``; all must hold.
        point: what it measures and takes.
    """

    vendor: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    title: Label
    adapter: str
    nature: str
    type: Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z0-9]*$")]
    evidence: Evidence
    manual: Annotated[tuple[Manual, ...], msgspec.Meta(min_length=1)]
    caveat: tuple[Caveat, ...] = ()
    device: Fields = {}
    example: Fields = {}
    identify: tuple[Fields, ...] = ()
    point: Annotated[tuple[Fields, ...], msgspec.Meta(min_length=1, max_length=POINTS_MAX)]


class About(msgspec.Struct, frozen=True):
    """What a profile says of a point besides the fields of ``[[device.point]]``.

    Attributes:
        name: what the point is called; the last part of its id.
        quantity: which quantity of the profile's nature it is.
        phase: of which phase, part or channel it is; stands behind its label.
        label: its name for people; that of the quantity when left out.
        page: page of the manual on which it stands.
        unit: UCUM code of its values after scale and offset.
        scale: what the device's number is multiplied by to be in ``unit``.
        offset: what is added after that.
    """

    name: str
    quantity: str
    phase: Annotated[str, msgspec.Meta(max_length=20)] = ""
    label: Label | None = None
    page: str | int = ""
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0


class ProfilePoint(msgspec.Struct, frozen=True):
    """One point: its quantity, and the fields of its ``[[device.point]]``."""

    name: str
    about: About
    quantity: Quantity
    fields: Fields

    @property
    def label(self) -> Label:
        """What people read: its own, else the quantity, and of which phase or part."""
        if self.about.label is not None:
            return self.about.label
        phase, label = self.about.phase, self.quantity.label
        if not phase:
            return label
        return Label(*(f"{text} {phase}" for text in (label.kk, label.ru, label.en)))

    def table(self, change: Mapping[str, Any], *, feeds: str = "") -> Fields:
        """Return the fields of the point's ``[[device.point]]``, changed as a gateway wants them.

        A change of the unit alone changes the scale, too.

        Args:
            change: fields that come before the profile's.
            feeds: the city object that the device's points belong to.

        Raises:
            ConfigError: the units do not measure the same.
        """
        label = self.label
        table: Fields = {"label": {"kk": label.kk, "ru": label.ru, "en": label.en}, **self.fields}
        if feeds and "attribute" in table:
            table["feeds"] = feeds
        if not feeds and "feeds" not in change:
            table.pop("attribute", None)
        if "unit" in change and not {"scale", "offset"} & change.keys():
            try:
                factor, zero = between(self.about.unit, str(change["unit"]))
            except UnitError as error:
                raise ConfigError(f'field "unit": {error}') from None
            table["scale"] = self.about.scale * factor
            table["offset"] = self.about.offset * factor + zero
            for name in ("valid", "normal", "writable"):
                if name in table and name not in change:
                    table[name] = [end * factor + zero for end in table[name]]
        return {**table, **change}


class Profile(msgspec.Struct, frozen=True):
    """A profile, checked: every point has a quantity of its nature."""

    name: str
    path: Path
    file: ProfileFile
    nature: Nature
    points: tuple[ProfilePoint, ...]

    @property
    def adapter(self) -> str:
        """The adapter that speaks to such a device."""
        return self.file.adapter

    @property
    def product(self) -> str:
        """Vendor and model."""
        return f"{self.file.vendor} {self.file.model}"

    @property
    def frames(self) -> Path:
        """Where its golden frames are."""
        return self.path.with_name(f"{self.path.stem}{FRAMES}")

    def device_table(self, given: Mapping[str, Any]) -> Fields:
        """Return the fields of a ``[[device]]``: what is given comes before the profile's own."""
        title = self.file.title
        label = {
            "kk": f"{title.kk} {self.product}",
            "ru": f"{title.ru} {self.product}",
            "en": f"{title.en} {self.product}",
        }
        return {"label": label, "adapter": self.adapter, **self.file.device, **given}


def load(path: Path, name: str) -> Profile:
    """Return the profile of a file.

    Raises:
        ConfigError: it breaks the specification; the text says file, line and field.
    """
    document = Document(path)
    file = document.convert(ProfileFile)
    try:
        of = nature(file.nature)
    except ConfigError as error:
        raise document.error(str(error), ("nature",)) from None
    points = []
    for index, fields in enumerate(file.point):
        about = document.convert(About, dict(fields), ("point", index))
        quantity = of.quantities.get(about.quantity)
        if quantity is None:
            raise document.error(
                f'nature "{of.name}" has no quantity "{about.quantity}"; it has '
                f"{', '.join(of.quantities)}",
                ("point", index, "quantity"),
            )
        kept = {n: v for n, v in fields.items() if n not in _ABOUT}
        if quantity.kind is not None:
            kept.setdefault("kind", quantity.kind.value)
        if quantity.attribute:
            kept.setdefault("attribute", quantity.attribute)
        points.append(ProfilePoint(about.name, about, quantity, kept))
    document.unique([point.name for point in points], ("point",))
    for index, fields in enumerate(file.identify):
        document.convert(Identify, fields, ("identify", index))
    return Profile(name, path, file, of, tuple(points))
