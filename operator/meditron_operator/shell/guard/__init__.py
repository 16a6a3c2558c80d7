"""The guard: a process of its own that takes away what a kill switch says, proves it, and tells."""
