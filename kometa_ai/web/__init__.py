"""Serve the daemon over HTTP with FastAPI: its pages, its API, and who may use them."""
