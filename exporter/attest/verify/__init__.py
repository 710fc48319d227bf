"""Whether an image is what it says, and whether what is said about it is about it."""
