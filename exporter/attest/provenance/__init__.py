"""Provenance: how a result was made, as a SLSA predicate. Made of values only; nothing here asks the machine."""
