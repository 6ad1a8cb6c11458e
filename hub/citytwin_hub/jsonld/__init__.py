"""JSON-LD: what the names in a document mean, by its @context."""
