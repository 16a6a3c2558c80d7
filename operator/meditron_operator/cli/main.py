"""`meditron`, the same as `kubectl meditron`."""

from enum import StrEnum, auto
from typing import Annotated

import typer

import meditron_operator
from meditron_operator import names

app = typer.Typer(
    name="meditron",
    help="Serve the medical model Meditron on a Kubernetes cluster's own GPUs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class LogLevel(StrEnum):
    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(meditron_operator.__version__)


def _pinned(image: str | None) -> str | None:
    if image and not names.DIGEST.search(image):
        raise typer.BadParameter("must end in @sha256:<64 hex digits>: pin the image by digest")
    return image or None


@app.command()
def operator(
    engine_image: Annotated[
        str | None,
        typer.Option(
            envvar="MEDITRON_ENGINE_IMAGE",
            callback=_pinned,
            help="Image of text-generation-inference for deployments that name none, pinned by digest.",
        ),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(envvar="MEDITRON_NAMESPACE", help="Namespace that the operator's own pods run in."),
    ] = "meditron-system",
    health_port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="MEDITRON_HEALTH_PORT", help="Port of /healthz and /readyz.")
    ] = 8080,
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="MEDITRON_WORKERS", help="Deployments worked on at a time.")
    ] = 8,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="MEDITRON_LOG_LEVEL", help="Least important records to write.")
    ] = LogLevel.INFO,
) -> None:
    """Run the operator: in a pod with its service account, elsewhere with the kubeconfig of KUBECONFIG.

    It watches MeditronDeployments in all namespaces and keeps running until it is told to stop.
    """
    from meditron_operator.cli.operator import run_operator  # noqa: PLC0415 - `meditron --help` needs no Kopf
    from meditron_operator.config import Config  # noqa: PLC0415

    config = Config(operator_namespace=namespace, engine_image=engine_image, health_port=health_port, workers=workers)
    run_operator(config, log_level)
