"""Layers and the file systems they make: entries, tar streams, trees, and views over stacks of layers."""
