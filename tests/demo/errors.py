"""What a viewer of the demo has to be told."""


class DemoError(Exception):
    """One line: which step did not come out, and what was seen instead."""
