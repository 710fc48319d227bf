"""Where builds begin: images by name, directories of the caller, and the texts that say what to do."""
