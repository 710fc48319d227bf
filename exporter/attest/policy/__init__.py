"""What the owner of a policy asks of an image: read from a file, judged on what verification has read."""
