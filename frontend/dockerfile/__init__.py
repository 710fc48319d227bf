"""The Dockerfile language.

    bytes ─ lines ─> logical lines ─ statement, instructions ─> syntax tree ─ planning, conversion ─> graph

The language is line based and has no grammar as a whole: `lines` cuts instructions out by hand, and small
grammars (`*.lark`) read what has structure inside a line: words with `${}` forms, name=value words, flags.
Everything the language knows becomes a node of the tree; what dockyard cannot do yet is refused where the
node is converted, with its place.
"""
