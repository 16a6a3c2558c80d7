"""Tables of docs/ that are computed: `python -m tests.docs` writes them, and a test holds them equal."""
