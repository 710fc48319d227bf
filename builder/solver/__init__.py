"""The solver: what has to be done to have a graph's results, done once, in parallel, and remembered."""
