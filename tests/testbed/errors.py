"""What a user of the testbed has to be told."""


class TestbedError(Exception):
    """The first line says what is wrong and what to do; further lines, if any, are the end of a log."""

    __test__ = False  # its name is no test's for pytest
