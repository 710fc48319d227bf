"""Attestations: statements about an image, made from what a build knows, and kept beside the image in its index."""
