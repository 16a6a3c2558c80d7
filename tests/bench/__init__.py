"""Performance, measured on the real control plane against a baseline in the same run."""
