"""The command: reads flags, calls the rooms below, prints, and chooses the exit code. Nothing else does these."""
