"""What code says of itself is found where it is said, and nothing is made up where it is not."""

import ast
import subprocess
import sys

import pytest

from citytwin_edge.catalogue.meanings import (
    attributes,
    caption,
    constants,
    paragraphs,
    plain,
    section,
)

DOC = """First line.

    Attributes:
        one: a thing
            of two lines: with a colon.
        two, three: of both.

    Raises:
        ValueError: it is wrong.
    """


def test_a_section_has_its_entries_alone():
    assert section(DOC, "Attributes") == {
        "one": "a thing of two lines: with a colon.", "two": "of both.", "three": "of both.",
    }  # fmt: skip
    assert section(DOC, "Raises") == {"ValueError": "it is wrong."}
    assert section(DOC, "Args") == {}
    assert section("", "Attributes") == {}


def test_a_field_means_what_the_nearest_class_says():
    class Base:
        """Base.

        Attributes:
            a: the base's.
            b: of the base alone.
        """

    class Own(Base):
        """Own.

        Attributes:
            a: its own.
        """

    class Silent(Own):
        pass

    assert attributes(Silent) == {"a": "its own.", "b": "of the base alone."}


def test_a_page_has_no_words_for_those_who_read_the_code():
    assert plain("how; see :class:`a.b.Stamp`.") == "how."
    assert plain("one of\n  :data:`a.b.KINDS`, or ``x``") == "one of `KINDS`, or `x`"


def test_the_first_sentence_is_the_caption():
    assert caption(section) == (
        "Return the entries of a docstring's section (Google style): what stands before the colon."
    )
    assert caption(type("Bare", (), {})) == ""


def test_a_constant_means_what_stands_below_it():
    tree = ast.parse('A_MAX: Final = 3\n"""So many."""\nB_MAX = 4\nif B_MAX:\n    pass\nC = 5\n')
    assert constants(tree) == {"A_MAX": "So many.", "B_MAX": "", "C": ""}


def without_docstrings(*words, folder, code="from citytwin_edge.cli import main"):
    """Run a command, or other code before it, as Python runs without docstrings."""
    return subprocess.run(
        [sys.executable, "-OO", "-c", f"import sys; {code}; sys.exit(main())", *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    ["adapters list", "adapters show modbus", "adapters show --json modbus",
     "adapters show --markdown modbus", "profiles schema", "kernels list"],
)  # fmt: skip
def test_what_was_left_out_is_said_in_one_sentence(tmp_path, command):
    done = without_docstrings(*command.split(), folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("citytwin-edge: Python left out here what the code says of itself")
    assert line.endswith("type env -u PYTHONOPTIMIZE in front of it")


def test_what_needs_no_docstrings_is_shown_whole(tmp_path):
    for command in (
        "profiles list eastron", "profiles list --json eastron", "profiles show eastron/sdm120",
        "profiles show --json eastron/sdm120", "profiles thing eastron/sdm120",
        "--help", "profiles --help", "adapters show --help",
    ):  # fmt: skip
        done = without_docstrings(*command.split(), folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), command
        told = subprocess.run(
            [sys.executable, "-c", "from citytwin_edge.cli import main; main()", *command.split()],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.stdout == told.stdout, command


def test_an_agent_reads_no_docstrings(tmp_path):
    """With a profile, and every adapter of ours: nothing that an agent loads asks for them."""
    config = tmp_path / "edge.toml"
    config.write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "d"\nprofile = "eastron/sdm120"\n'
        'host = "127.0.0.1"\n'
    )
    code = (
        "import citytwin_edge.agent, citytwin_edge.cli.running as running, pathlib, sys;"
        "from citytwin_edge import config, plugins;"
        "[plugins.adapter(name) for name in plugins.installed()];"
        "config.load(pathlib.Path('edge.toml'));"
        "print(*[name for name in sys.modules if name.startswith('citytwin_edge.catalogue.')]);"
        "main = lambda: 0"
    )
    done = without_docstrings(folder=tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert {"profile", "shelf"} <= loaded
    assert not loaded & {"meanings", "fields", "abilities", "capabilities", "schema", "documents"}


def test_paragraphs_keep_formulas_and_lists():
    doc = "One of\n``two`` lines.\n\n    Q = m (h1 - h2)\n    of this\n\n- a\n  b\n- c\n"
    assert paragraphs(doc) == [
        "One of `two` lines.", "    Q = m (h1 - h2)\n    of this", "- a b\n- c",
    ]  # fmt: skip
    assert paragraphs("") == []
