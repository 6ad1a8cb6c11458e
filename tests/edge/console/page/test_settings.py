"""``[page]`` in a configuration: off by default, an address, and mistakes with their line."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge.config import load
from citytwin_edge.console.page.settings import PageSection
from tests.edge.console.console_scenes import tcp


def loaded(folder, page):
    path = folder / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\n{page}{tcp("d", 1)}')
    return load(path)


def test_there_is_no_page_by_default(tmp_path):
    assert PageSection().address() == ""
    assert loaded(tmp_path, "").page == ""
    assert loaded(tmp_path, "[page]\n").page == ""


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("0.0.0.0", "0.0.0.0:8080"),
        ("[::]:80", "[::]:80"), ("localhost", "localhost:8080"),
    ],
)  # fmt: skip
def test_an_address(tmp_path, listen, address):
    assert loaded(tmp_path, f'[page]\nlisten = "{listen}"\n').page == address


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('[page]\nlisten = "::1"\n', r"edge.toml:3: .*page.*in brackets"),
        ("[page]\nlisten = 8080\n", r"edge.toml:4|edge.toml:3"),
        ('[page]\nport = "8080"\n', r"edge.toml:\d: .*listen"),
    ],
)
def test_a_mistake_is_named(tmp_path, page, said):
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path, page)
