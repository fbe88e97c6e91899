"""Show the pages: each module reads from the daemon, renders a template, or takes a form and redirects."""
