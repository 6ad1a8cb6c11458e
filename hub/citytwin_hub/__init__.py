"""The hub: the city-wide twin with its history, its page and its commands."""
