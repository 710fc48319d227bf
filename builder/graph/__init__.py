"""The build graph: frozen operations, the vertices that they form, and where each one comes from.

Pure data: a graph can be built, compared, digested and printed without touching the machine.
"""

from builder.graph.definition import Extra, Target
from builder.graph.location import Location, SourceFile, excerpt
from builder.graph.mounts import BindMount, CacheMount, Mount, SshMount, TmpfsMount
from builder.graph.operations import (
    Copy,
    Exec,
    File,
    Git,
    Http,
    Image,
    Local,
    MakeDirectory,
    MakeFile,
    Merge,
    Network,
    Operation,
    Owner,
    ScriptMount,
    SecretMount,
    Security,
)
from builder.graph.vertex import Description, Vertex, vertex, walk

__all__ = [
    "BindMount",
    "CacheMount",
    "Copy",
    "Description",
    "Exec",
    "Extra",
    "File",
    "Git",
    "Http",
    "Image",
    "Local",
    "Location",
    "MakeDirectory",
    "MakeFile",
    "Merge",
    "Mount",
    "Network",
    "Operation",
    "Owner",
    "ScriptMount",
    "SecretMount",
    "Security",
    "SourceFile",
    "SshMount",
    "Target",
    "TmpfsMount",
    "Vertex",
    "excerpt",
    "vertex",
    "walk",
]
