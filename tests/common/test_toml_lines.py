"""Every table, key and list element of a TOML text is found on its line, however it is written."""

import tomllib

import pytest

from citytwin.toml_lines import line_map

NASTY = '''\
# [not.a.header]
title = "a [b] # c" # d = 1
"quoted key" = 1
'lit.eral' . "b\\u0041" = 2
long = """
[no]
x = "1" \\""" ""
y = 2"""
raw = \'\'\'
[[no]]
' \'\' "\'\'\'
[a]   # one
  b.c = 1
  when = 1979-05-27T07:32:00Z
  list = [ 1, [2,
    3], { k = "]", l = [ "}" ] },
    # comment ]
    "x",
  ]
[a.d]
e = -inf
[[f]]
g = true
[[f.h]]
i = 0x_1F
[f.h.j]
k = ""
[[f.h]]
i = 2
[[f]]
[f.l]
m = { n = { o = 1 } }
'''.replace("0x_1F", "0x1F")


def places(value, at=()):
    if at:
        yield at
    items = enumerate(value) if isinstance(value, list) else ()
    for part, inner in value.items() if isinstance(value, dict) else items:
        yield from places(inner, (*at, part))


def test_everything_is_found():
    found = line_map(NASTY)
    assert set(places(tomllib.loads(NASTY))) <= set(found)


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("title",), 2),
        (("quoted key",), 3),
        (("lit.eral", "bA"), 4),
        (("long",), 5),
        (("raw",), 9),
        (("a",), 12),
        (("a", "b", "c"), 13),
        (("a", "list", 0), 15),
        (("a", "list", 1, 1), 16),
        (("a", "list", 2, "l", 0), 16),
        (("a", "list", 3), 18),
        (("a", "d", "e"), 21),
        (("f",), 22),
        (("f", 0), 22),
        (("f", 0, "h", 0, "j", "k"), 27),
        (("f", 0, "h", 1, "i"), 29),
        (("f", 1), 30),
        (("f", 1, "l", "m", "n", "o"), 32),
    ],
)
def test_each_stands_on_its_line(at, line):
    assert line_map(NASTY)[at] == line


def test_lists_of_tables_within_brackets():
    text = 'point = [\n  { name = "a" },\n  { name = "b",\tscale = 1 },\n]\n'
    assert line_map(text)["point", 1, "scale"] == 3


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a = 1", "a=[]\nb={}"])
def test_short_texts(text):
    assert set(places(tomllib.loads(text))) == set(line_map(text))
