"""Where everything lies."""

from __future__ import annotations

from pathlib import Path

from installer.layout import Layout


def test_a_service_lies_where_debian_expects_it() -> None:
    edge = Layout("edge")
    assert edge.is_service
    places = (edge.home, edge.config, edge.outbox, edge.unit, edge.command)
    assert [str(place) for place in places] == [
        "/opt/citytwin-edge", "/etc/citytwin/edge.toml", "/var/lib/citytwin-edge/outbox.db",
        "/etc/systemd/system/citytwin-edge.service", "/usr/local/bin/citytwin-edge",
    ]  # fmt: skip
    assert str(edge.drop_ins) == "/etc/systemd/system/citytwin-edge.service.d"


def test_a_prefix_has_everything() -> None:
    assert Layout("hub", Path("/home/a/hub")).home == Path("/home/a/hub")
    assert not Layout("hub", Path("/home/a/hub")).is_service


def test_the_other_part_counts_while_it_has_kept_something(tmp_path: Path) -> None:
    edge, hub = Layout("edge", root=tmp_path), Layout("hub", root=tmp_path)
    assert edge.others() == []
    hub.state.mkdir(parents=True)
    assert edge.others() == [hub]
    assert hub.others() == []
