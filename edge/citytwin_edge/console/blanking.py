"""Blanking: takes out of texts what must not leave a gateway: passwords, keys, tokens.

Two nets, one behind the other. In a configuration every field that is named like a secret loses its
value, whatever it is. Then each value that was found so, and what stands in the files that such
fields name, is looked for everywhere else: an error may have quoted it.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

BLANK: Final = "(left out)"
SECRET_CHARS_MIN: Final = 4
"""What is shorter is no secret, and would blank words that only look alike."""
FILE_BYTES_MAX: Final = 4096
_NAMES: Final = "password|passwd|passphrase|secret|token|psk|pin|credential|key"
_IS_SECRET: Final = re.compile(rf"(?:^|[_-])(?:\w*(?:{_NAMES}))s?(?:$|[_-])", re.IGNORECASE)
_NO_SECRETS: Final = re.compile(r"(?:_file|_path|_topic)$", re.IGNORECASE)
_STRING: Final = (
    r'"""[\s\S]*?(?:"""|\Z)|' + r"'''[\s\S]*?(?:'''|\Z)|"
    r'"(?:\\.|[^"\\\n])*"?|' + r"'[^'\n]*'?"
)
_FIELD: Final = re.compile(r"(?P<name>[\w.-]+|\"[^\"\n]+\"|'[^'\n]+')[ \t]*=[ \t]*")
_HEADER: Final = re.compile(r"^[ \t]*\[+(?P<name>[^\]\n]*)\]+", re.MULTILINE)
_TEXT: Final = re.compile(_STRING)
_VALUE: Final = re.compile(_STRING + r"|\[[^\]]*\]?|\{[^}]*\}?|[^\s,}#]*")
_PEM: Final = re.compile(r"-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|\Z)")
_USER_INFO: Final = re.compile(r"(://[^/\s:@\"']*:)(?P<secret>[^@/\s\"']+)(@)")
_TOKEN: Final = re.compile(r"\bct1\.[\w.~-]+")


def is_secret(name: str) -> bool:
    """Tell whether a field of this name holds a secret itself, and not where one is kept."""
    return bool(_IS_SECRET.search(name)) and not _NO_SECRETS.search(name)


class Secrets:
    """The secrets of one configuration."""

    def __init__(self, text: str) -> None:
        """Find them in the text of a configuration, also in one that is no TOML."""
        self._text = text
        self._values: set[str] = set()
        for start, end in _secret_spans(text):
            for found in _TEXT.finditer(text, start, end):
                self._note(found[0].strip("\"'"))
            if not _TEXT.search(text, start, end):
                self._note(text[start:end])
        for found in _USER_INFO.finditer(text):
            self._note(found["secret"])
        with contextlib.suppress(tomllib.TOMLDecodeError):
            self._collect(tomllib.loads(text))

    def _collect(self, table: Any, name: str = "") -> None:
        for field, value in _members(table):
            inner = field or name
            if isinstance(value, dict | list):
                # All of a table that is called keys is secret, whatever its members are called.
                self._collect(value, name if is_secret(name) else inner)
            elif is_secret(inner) or is_secret(name):
                self._note(str(value))
            elif isinstance(value, str) and inner.endswith("_file"):
                self._note_file(value)

    def _note(self, value: str) -> None:
        self._values.update(
            line for line in map(str.strip, value.splitlines()) if len(line) >= SECRET_CHARS_MIN
        )

    def _note_file(self, path: str) -> None:
        """Note what stands in a file that the configuration names, if it is one line."""
        try:
            with Path(path).open("rb") as file:
                content = file.read(FILE_BYTES_MAX).decode().strip()
        except (OSError, UnicodeDecodeError):
            return
        if "\n" not in content:
            self._note(content)

    def configuration(self) -> str:
        """Return the configuration, each secret's value blanked; nothing else is changed."""

        parts, last = [], 0
        for start, end in _secret_spans(self._text):
            parts += [self._text[last:start], f'"{BLANK}"']
            last = end
        return self.cleaned("".join([*parts, self._text[last:]]))

    def cleaned(self, text: str) -> str:
        """Return any other text without the secrets, and without what looks like one."""
        text = _PEM.sub(BLANK, text)
        text = _TOKEN.sub(BLANK, text)
        text = _USER_INFO.sub(rf"\g<1>{BLANK}\g<3>", text)
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, BLANK)
        return text


def _secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the values of secret fields begin and end, also in what is no TOML.

    All of a table whose name is a secret's is secret, whatever its fields are called.
    """
    headers = [(found.start(), _bare(found["name"])) for found in _HEADER.finditer(text)]
    at = 0
    while found := _FIELD.search(text, at):
        at = found.end()
        table = next((name for start, name in reversed(headers) if start < at), "")
        if is_secret(_bare(found["name"])) or is_secret(table):
            value = _VALUE.match(text, at)
            if value and value[0]:
                at = value.end()
                yield value.span()
        elif value := _TEXT.match(text, at):
            at = value.end()  # what a string says is no field


def _bare(name: str) -> str:
    """Return the last part of a name as it is written: ``a.b`` and ``"b"`` are ``b``."""
    return name.rpartition(".")[2].strip("\"'")


def _members(table: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(table, dict):
        yield from table.items()
    else:
        yield from (("", value) for value in table)
