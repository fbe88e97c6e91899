"""Live in the container: wait for the schedule, run in a thread, wait again, and answer pages and API meanwhile."""
