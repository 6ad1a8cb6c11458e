"""Entities: the city as objects with attributes, relations, places and history."""
