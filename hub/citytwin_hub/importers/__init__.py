"""Importers: one module for each format that a city's objects come in."""
