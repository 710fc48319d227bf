"""Caches elsewhere: what earlier builds, on whatever machine, left at a registry, in a directory or a bucket."""
