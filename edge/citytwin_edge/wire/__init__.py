"""Bytes <-> numbers: what field devices put on the line, without any I/O."""
