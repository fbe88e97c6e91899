// Show on every page how far the present run has come.
