"""A Docker Engine as the place where images go: found, asked what it can hold, and loaded through its API."""
