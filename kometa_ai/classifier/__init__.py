"""Ask a model which movies belong: plan the questions, pack them, send them, read the answers."""
