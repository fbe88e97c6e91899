"""Reach models: the port that asking speaks to, prices, and an adapter for each service."""
