"""OCI layouts and image archives: read as hostile input, written as BuildKit writes them."""
