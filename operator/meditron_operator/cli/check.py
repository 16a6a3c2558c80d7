"""The command that looks at an installation."""

from typing import Annotated

import typer

from meditron_operator.cli.switch.failing import Failed
from meditron_operator.cli.switch.options import HERE, Context, Form, OperatorNamespace, Output

app = typer.Typer()


@app.command("check")
def check_command(  # noqa: PLR0913 - the options are the command's interface
    *,
    operator_namespace: OperatorNamespace = HERE,
    guard: Annotated[bool, typer.Option("--guard/--no-guard", help="Whether a guard should be there.")] = True,
    admission: Annotated[
        bool, typer.Option("--admission/--no-admission", help="Whether the admission policies should be there.")
    ] = True,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long it may take to be fine.")] = 60.0,
    context: Context = None,
    output: Output = Form.TABLE,
) -> None:
    """Check an installation: are operator and guard ready, and do the admission policies refuse what they must?

    It forges a record of the kill switch and a release, both as dry runs: nothing is stored, even where nothing refuses
    them. `helm test` runs this in a pod. Exit code 0: all is fine; 1: not; 2: bad input.

      meditron check
    """
    from meditron_operator.cli.checking import Expected, check  # noqa: PLC0415 - `--help` needs no cluster

    expected = Expected(namespace=operator_namespace, guard=guard, admission=admission)
    try:
        code = check(expected, context, timeout, as_json=output is Form.JSON)
    except Failed as failure:
        typer.echo(f"meditron: {failure}", err=True)
        raise typer.Exit(failure.code) from None
    raise typer.Exit(code)
