"""Check Kometa's own files: warn where Kometa would not do what a block says, and propose and prove corrections."""
