"""The guard's decisions: what a stop takes away, when it is proven, what is told. Raw objects, never a parsed spec."""
