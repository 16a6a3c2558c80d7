"""`python -m meditron_operator` is `meditron`."""

from meditron_operator.cli.main import main

if __name__ == "__main__":
    main()
