"""Answer the API below /api/v1: one module for each thing, and what they share in `routing`."""
