"""Tell people what a run did: news, messages, channels and the outbox."""
