"""Other ways to build this operator, to measure it against. Each makes the same children and writes a status."""
