"""Write logs without secrets, and watch the memory use of the process."""
