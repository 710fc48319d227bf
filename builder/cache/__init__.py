"""What is known from earlier builds: keys that say when two steps are the same work, and the records under them."""
