"""Tell people what a run did."""
