"""Decide which questions to ask about which items, and what follows from verdicts, pins and tags."""
