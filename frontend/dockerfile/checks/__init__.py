"""Build checks: what is allowed in a Dockerfile and still better written otherwise.

`rules` names them, `settings` says which are on, `findings` collects; `wholefile` and `evaluation` look.
Nothing here changes what is built.
"""
