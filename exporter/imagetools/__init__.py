"""Images at registries: several combined into one, one shown with all that is said about it."""
