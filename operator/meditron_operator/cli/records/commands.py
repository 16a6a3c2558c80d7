"""`meditron records`: the options; the work is imported when it is asked for."""

from enum import StrEnum, auto
from typing import Annotated

import typer

from meditron_operator.cli.switch.options import Context

app = typer.Typer(
    help="Records of the kill switch: what was stopped, by whom, why, with what outcome.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class ListFormat(StrEnum):
    TABLE = auto()
    JSON = auto()


class ExportFormat(StrEnum):
    JSONL = auto()
    REPORT = auto()


Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="(default: the kubeconfig's; with --from all that are in the file)"),
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")]
Source = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="Read an export, without a cluster; - reads stdin."),
]
BeginsAt = Annotated[
    int, typer.Option("--begins-at", min=1, metavar="NUMBER", help="Older records were purged after their time.")
]


@app.command("list")
def list_command(
    *,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    source: Source = None,
    context: Context = None,
    output: Annotated[ListFormat, typer.Option("--output", "-o", help="Form of the answer.")] = ListFormat.TABLE,
) -> None:
    """Show the records, the oldest first.

    meditron records list -A
    """
    from meditron_operator.cli.records.answers import show  # noqa: PLC0415 - `meditron --help` needs none of it
    from meditron_operator.cli.records.source import Where, read  # noqa: PLC0415

    show(
        read(Where(namespace=namespace, everywhere=everywhere, file=source, context=context)),
        as_json=output is ListFormat.JSON,
    )


@app.command("verify")
def verify_command(  # noqa: PLR0913 - the options are the command's interface
    *,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    source: Source = None,
    context: Context = None,
    begins_at: BeginsAt = 1,
    copy: Annotated[
        str | None,
        typer.Option("--copy", metavar="FILE", help="An earlier export: whatever it holds must still be there."),
    ] = None,
) -> None:
    """Walk the chain of records and say where it breaks. Exit code 0: intact; 1: broken; 2: bad input.

    meditron records verify -A --copy last-month.jsonl

    meditron records verify --from 2026.jsonl
    """
    from meditron_operator.cli.records.answers import check  # noqa: PLC0415
    from meditron_operator.cli.records.source import Where, read, read_copy  # noqa: PLC0415

    where = Where(namespace=namespace, everywhere=everywhere, file=source, context=context)
    found = read(where)
    raise typer.Exit(check(found, read_copy(copy, found.namespace) if copy else (), begins_at))


@app.command("export")
def export_command(  # noqa: PLR0913 - the options are the command's interface
    *,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    source: Source = None,
    context: Context = None,
    begins_at: BeginsAt = 1,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="jsonl: every field, to verify later; report: for people.")
    ] = ExportFormat.JSONL,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="A new file. (default: standard output)")
    ] = None,
) -> None:
    """Write the records out. Keep exports elsewhere: nobody with the cluster can change those.

    meditron records export -A -o 2026-01.jsonl

    meditron records export --from 2026-01.jsonl --format report
    """
    from meditron_operator.cli.records.answers import as_jsonl, as_report, write  # noqa: PLC0415
    from meditron_operator.cli.records.source import Where, read  # noqa: PLC0415

    found = read(Where(namespace=namespace, everywhere=everywhere, file=source, context=context))
    write(as_jsonl(found) if form is ExportFormat.JSONL else as_report(found, begins_at), output)
