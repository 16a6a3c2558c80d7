"""Stand-ins for what can't run here: each behaves like its original, down to its faults."""
