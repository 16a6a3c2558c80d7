"""`python -m tests.testbed`."""

from tests.testbed.cli import app

app(prog_name="python -m tests.testbed")
