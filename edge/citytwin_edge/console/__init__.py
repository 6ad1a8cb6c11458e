"""The gateway's console: what a person beside a running agent sees, asks and does."""
