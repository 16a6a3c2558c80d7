"""The command that runs the guard."""

import typer

from meditron_operator import logs
from meditron_operator.config import GuardConfig
from meditron_operator.errors import ApiError, FatalError
from meditron_operator.shell.guard import runtime
from meditron_operator.shell.session import load_configuration


def run_guard(config: GuardConfig, log_level: str) -> None:
    """Run until a signal; exits with 1 and one line when it can't start or can't go on."""
    logs.configure(log_level)
    try:
        runtime.run(config, load_configuration())
    except (ApiError, FatalError) as error:
        typer.echo(f"meditron guard: {error}", err=True)
        raise typer.Exit(1) from None
