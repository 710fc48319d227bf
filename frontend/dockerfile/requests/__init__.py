"""Questions about a Dockerfile that need no build: what checks find, which targets and arguments there are.

Each answer has two forms, for people and for programs; the second has the members that buildx documents.
"""
