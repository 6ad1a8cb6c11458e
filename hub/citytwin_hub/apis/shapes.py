"""Shapes of the answers, for the OpenAPI description; docs/architecture.md has them in a table."""

from __future__ import annotations

from pydantic import BaseModel

Ends = list[float | None] | None


class LabelShape(BaseModel):
    """A text in Kazakh, Russian and English."""

    kk: str = ""
    ru: str = ""
    en: str = ""


class ProblemShape(BaseModel):
    """What is wrong: the HTTP status, one sentence, and the field if it is one's.

    ``text`` is the sentence in each language where it is known in it, else in English.
    """

    code: int
    message: str
    text: LabelShape
    field: str | None = None


class Problem(BaseModel):
    """Any answer that is not 200 or 202."""

    error: ProblemShape


class Me(BaseModel):
    """Who a token belongs to, in which roles (with commas between), and what these may do."""

    name: str
    role: str
    acts: list[str]


class PointShape(BaseModel):
    """A point; spans are [low, high] with null for no limit, place is [lon, lat, elevation]."""

    row: int
    id: str
    gateway: str
    device: str
    name: str
    unit: str
    symbol: LabelShape
    kind: str
    source: str
    label: LabelShape
    device_label: LabelShape
    place: Ends
    valid: Ends
    normal: Ends
    writable: Ends
    step: float
    feeds: str
    attribute: str
    gone: bool


class PointList(BaseModel):
    """A page of points; ``next`` is what to give as ``after``, null on the last page."""

    points: list[PointShape]
    next: int | None


class Value(BaseModel):
    """A latest sample; value is null when there is none."""

    row: int
    time_ms: int
    value: float | None
    text: str | None = None
    quality: int
    severity: int
    reason: str
    received_ms: int


class LatestValues(BaseModel):
    """Latest samples and the hub's time."""

    now_ms: int
    values: list[Value]


class Samples(BaseModel):
    """Samples of one point in columns; ``text`` of points whose values are texts."""

    row: int
    time_ms: list[int]
    value: list[float | None]
    quality: list[int]
    text: list[str | None] | None = None


class Steps(BaseModel):
    """Sums of one point by step in columns."""

    row: int
    time_ms: list[int]
    low: list[float | None]
    mean: list[float | None]
    high: list[float | None]
    count: list[int]
    quality: list[int]


class History(BaseModel):
    """Samples, or steps when a step was asked for."""

    samples: list[Samples] | None = None
    steps: list[Steps] | None = None


class ConfigStepShape(BaseModel):
    """One state of a push."""

    state: str
    at_ms: int
    reason: str


class PushShape(BaseModel):
    """A configuration on its way to a gateway, and what became of it."""

    number: int
    state: str
    reason: str
    history: list[ConfigStepShape]


class ConfigShape(BaseModel):
    """How a gateway's configuration does.

    ``number`` is the version that runs, ``wanted`` the one that shall; null when it is not known.
    """

    gateway: str
    digest: str
    number: int | None
    wanted: int | None
    drift: bool
    remote: str
    push: PushShape | None


class VersionShape(BaseModel):
    """One version of a configuration, without its text."""

    number: int
    digest: str
    by: str
    at_ms: int
    why: str
    push: PushShape | None


class VersionList(BaseModel):
    """Versions, the newest first."""

    versions: list[VersionShape]


class ConfigText(BaseModel):
    """The text of one version."""

    text: str


class ConfigDiff(BaseModel):
    """The difference of two versions, as diff -u writes it."""

    diff: str


class Accepted(BaseModel):
    """The version that a gateway shall run from now on."""

    number: int


class GatewayShape(BaseModel):
    """A gateway and how it does."""

    name: str
    state: str
    connected: bool
    since_ms: int | None
    last_seen_ms: int | None
    software: str
    address: str
    points: int
    place: Ends
    label: LabelShape
    outbox_entries: float | None
    outbox_bytes: float | None
    clock_offset_ms: float | None
    entries: int
    samples: int
    repeated: int
    refused: int
    refused_ms: int | None
    refused_reason: str
    config: ConfigShape


class GatewayList(BaseModel):
    """Every gateway."""

    gateways: list[GatewayShape]


class AlarmShape(BaseModel):
    """An alarm; state is raised, acknowledged or returned, severity low, medium or high.

    ``began_ms`` is when it began, as far as its kernel told, and ``since_ms`` when it was raised.
    What an anomaly was told with is null in others: which kernel, what it expected, its score, the
    threshold of that; ``similar_days`` are the days since the like at this time of day.
    """

    id: int
    state: str
    kind: str
    row: int | None
    point: str | None
    gateway: str
    since_ms: int
    returned_ms: int | None
    acknowledged_by: str | None
    severity: str
    text: LabelShape
    value: float | None
    began_ms: int
    kernel: float | None
    expected: float | None
    score: float | None
    threshold: float | None
    similar_days: list[float]


class Acknowledgement(BaseModel):
    """An alarm after somebody has seen it."""

    id: int
    state: str


class AlarmList(BaseModel):
    """Open alarms, newest first."""

    alarms: list[AlarmShape]


class StepShape(BaseModel):
    """One state of a command."""

    state: str
    at_ms: int
    reason: LabelShape


class CommandShape(BaseModel):
    """A command; ``value`` is what was wished, never what is."""

    id: str
    point: str
    row: int
    value: float
    state: str
    issued_by: str
    issued_ms: int
    due_ms: int
    expires_ms: int
    reason: LabelShape
    history: list[StepShape]


class CommandList(BaseModel):
    """Commands, newest first."""

    commands: list[CommandShape]
