"""Do one run: read, decide and ask, plan the tags, write them, report."""
