"""Scanning file systems for what they hold: scanners, the protocol they speak, and what is remembered of them."""
