"""Define the vocabulary: small frozen types and pure rules, no I/O and no clock."""
