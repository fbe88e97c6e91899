"""Notify users of what a run did: news, messages, channels, the outbox, and the call after changes."""
