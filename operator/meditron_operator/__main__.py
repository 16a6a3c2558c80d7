"""`python -m meditron_operator` is `meditron`."""

from meditron_operator.cli.main import app

if __name__ == "__main__":
    app()
