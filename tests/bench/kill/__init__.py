"""`make bench-kill`: how fast the kill switch is, idle, in a storm, and while the operator hangs."""
