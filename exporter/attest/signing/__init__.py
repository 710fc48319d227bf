"""Signatures over images and over what is said of them, made and read in the forms that cosign knows.

Keys, envelopes, payloads and bundles are pure values; `places` knows where they lie.
"""
