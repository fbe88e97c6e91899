"""Read every setting from environment variables, check it, and show it."""
