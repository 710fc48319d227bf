"""The ground under every room: errors, and the Linux calls that Python does not wrap."""
