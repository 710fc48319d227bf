"""The build graph: frozen operations, the vertices that they form, and where each one comes from.

Pure data: a graph can be built, compared, digested and printed without touching the machine.
"""

from builder.graph.definition import Target
from builder.graph.location import Location, SourceFile, excerpt
from builder.graph.operations import (
    Copy,
    Exec,
    File,
    Image,
    Local,
    MakeDirectory,
    Merge,
    Network,
    Operation,
    Owner,
    SecretMount,
)
from builder.graph.vertex import Description, Vertex, vertex, walk

__all__ = [
    "Copy",
    "Description",
    "Exec",
    "File",
    "Image",
    "Local",
    "Location",
    "MakeDirectory",
    "Merge",
    "Network",
    "Operation",
    "Owner",
    "SecretMount",
    "SourceFile",
    "Target",
    "Vertex",
    "excerpt",
    "vertex",
    "walk",
]
