"""Check Kometa's own files: warn where Kometa would not do what a block asks for, propose corrections, prove them."""
