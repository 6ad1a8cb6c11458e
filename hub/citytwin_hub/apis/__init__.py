"""What the hub shows to others: REST, live stream, page. It reads the hub, never the reverse."""
