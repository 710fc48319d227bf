"""One event stream for every build (`events`, `stream`), and the renderers that show it.

Nothing is imported here: who needs only clean text or a size pays for no more.
"""
