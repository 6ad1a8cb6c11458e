"""The catalogue: profiles of devices, what they must keep, and what is made of them.

The profiles themselves are data: ``citytwin_edge/profiles/<vendor>/<model>.toml`` with golden
frames beside them, and ``citytwin_edge/natures``. docs/specs/profile.md is their specification.
"""
