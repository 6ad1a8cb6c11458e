"""The hub's durable ingest log: what it holds is acknowledged, and all else reads from it."""
