"""Policy: which role may do what, read from a file, and what it comes to for one request."""
