"""`python -m tests.demo`."""

from tests.demo.cli import app

app(prog_name="python -m tests.demo")
