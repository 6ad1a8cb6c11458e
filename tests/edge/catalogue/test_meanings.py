"""What code says of itself is found where it is said, and nothing is made up where it is not."""

import ast

from citytwin_edge.catalogue.meanings import attributes, caption, constants, plain, section

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
