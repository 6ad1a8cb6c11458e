"""Air: indexes of what is in it, and how limits are kept."""
