"""Registries: the distribution protocol's client, its configuration and its credentials."""
