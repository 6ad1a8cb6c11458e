"""The samples of the whole city, and how they are read again."""
