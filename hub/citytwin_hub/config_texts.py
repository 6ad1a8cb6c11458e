"""Config texts: what the hub can tell of a gateway's configuration without knowing its adapters."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from typing import Final

from citytwin_protos.config_order import CONFIG_BYTES_MAX

DIFF_LINES_MAX: Final = 50_000
"""Of each text; a longer one is not compared line by line."""


def digest_of(text: bytes) -> str:
    """Return the name of a configuration: SHA-256 (FIPS 180-4) in hexadecimal, as gateways do."""
    return hashlib.sha256(text).hexdigest()


def checked(gateway: str, text: bytes) -> str:
    """Return what is wrong with a configuration as far as the hub can tell; empty if nothing is.

    The gateway, which knows its adapters, checks it whole before it takes it.
    """
    if len(text) > CONFIG_BYTES_MAX:
        return f"a configuration has at most {CONFIG_BYTES_MAX} bytes, not {len(text)}"
    try:
        data = tomllib.loads(text.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        return "the configuration is not UTF-8"
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return f"the configuration is not TOML: {error}"
    section = data.get("gateway")
    name = section.get("name") if isinstance(section, dict) else None
    if name != gateway:
        return f"[gateway] name is {name!r}, not {gateway!r}"
    return ""


def unified(old_name: str, old: bytes, new_name: str, new: bytes) -> str:
    """Return the difference of two texts as diff -u writes it; empty when there is none."""
    lines = [text.decode("utf-8", "replace").splitlines(keepends=True) for text in (old, new)]
    if max(map(len, lines)) > DIFF_LINES_MAX:
        return (
            "" if old == new else f"{old_name} and {new_name} differ; they are too long to show\n"
        )
    diff = difflib.unified_diff(lines[0], lines[1], old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in diff)
