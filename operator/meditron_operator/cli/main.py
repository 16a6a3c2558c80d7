"""`meditron`, the same as `kubectl meditron`."""

import sys
from typing import Annotated

import typer

import meditron_operator
from meditron_operator.cli import check, complete
from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.plan import Output, answer
from meditron_operator.cli.question import Options, question
from meditron_operator.cli.records import commands as records
from meditron_operator.cli.switch import commands as switch
from meditron_operator.cli.values import LogLevel, LogLevelOption, namespaces, own_identity, pinned
from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing.demand import Dtype, KvCacheDtype

BAD_INPUT = 2

app = typer.Typer(
    name="meditron",
    help="Serve the medical model Meditron on a Kubernetes cluster's own GPUs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(records.app, name="records")
app.add_typer(switch.app)
app.add_typer(check.app)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except BadInput as error:
        _fail(str(error))
    except Exception as error:  # the errors of typer's own parser, which has no public class for all of them
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    sys.exit(code)


def _fail(message: str) -> None:
    line = " ".join(message.split())
    typer.echo(f"meditron: {line}", err=True)
    sys.exit(BAD_INPUT)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(meditron_operator.__version__)


@app.command("plan")
def plan_command(  # noqa: PLR0913 - the options are the command's interface
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            autocompletion=complete.models,
            help="Model of the catalog (meditron-70b) or its Hub id; ORG/NAME@REVISION with --online for any other.",
        ),
    ] = None,
    quantization: Annotated[
        Quantization | None,
        typer.Option("--quantization", "-q", help="(default: what the checkpoint or its name says, else none)"),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="CARD",
            autocompletion=complete.gpus,
            help="Card (A100-40GB), or auto with --nodes. Without: all, as a matrix.",
        ),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=1, max=64, help="GPUs of one replica. (default: the fewest that hold it)")
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            min=2, metavar="TOKENS", help="Longest request, answer included. (default: 4096, or what the model has)"
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Requests of that length at once. (default: 1)")
    ] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Of 16-bit weights. (default: bfloat16 where it runs)")] = None,
    kv_cache_dtype: Annotated[
        KvCacheDtype | None, typer.Option(help="fp8 halves the KV cache. [default: auto]")
    ] = None,
    lora_adapters: Annotated[int, typer.Option(min=0, max=1_000, help="LoRA adapters that are loaded with it.")] = 0,
    lora_rank: Annotated[int, typer.Option(min=1, max=1_024, help="Rank of each.")] = 16,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="PATH", help="The model's own config.json, or the folder of its checkpoint."),
    ] = None,
    filename: Annotated[
        str | None,
        typer.Option("--filename", "-f", metavar="FILE", help="Plan the MeditronDeployment in a file; - reads stdin."),
    ] = None,
    nodes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Nodes to choose from when the card is auto: kubectl get nodes,pods -A -o json."
        ),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Allow asking the Hub for config.json and file sizes (kept by commit).")
    ] = False,
    hub_endpoint: Annotated[
        str | None, typer.Option(envvar="HF_ENDPOINT", metavar="URL", help="The Hub, or a mirror of it.")
    ] = None,
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Also cards that TGI is not proven on (B200).")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print the sum with the numbers put in, the launcher environment, the pod."),
    ] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="Form of the answer.")] = Output.TABLE,
) -> None:
    """Say which GPUs a model needs, how many, for how many requests at once, and why not the smaller ones.

    Works without a cluster and without a network. Exit code 0: it fits; 1: it does not; 2: bad input.

    Examples:

      meditron plan --model meditron-70b --quantization gptq

      meditron plan -m meditron-70b -q gptq --gpu A100-40GB --context 4096 --concurrency 2 --explain

      meditron plan --config ./meditron-70b-gptq --gpu L40S -o json

      meditron plan -f deployment.yaml
    """
    options = Options(
        model=model,
        config=config,
        online=online,
        hub_endpoint=hub_endpoint,
        quantization=quantization,
        gpu=gpu,
        gpus=gpus,
        context=context,
        concurrency=concurrency,
        dtype=dtype,
        kv_cache_dtype=kv_cache_dtype,
        lora_adapters=lora_adapters,
        lora_rank=lora_rank,
        allow_unproven=allow_unproven,
    )
    raise typer.Exit(answer(question(options, filename), nodes, output, explain=explain))


@app.command("render")
def render_command(
    filename: Annotated[
        str, typer.Option("--filename", "-f", metavar="FILE", help="File with MeditronDeployments; - reads stdin.")
    ],
    operator_namespace: Annotated[
        str, typer.Option(envvar="MEDITRON_NAMESPACE", help="Namespace that the operator runs in.")
    ] = "meditron-system",
    engine_image: Annotated[
        str | None,
        typer.Option(envvar="MEDITRON_ENGINE_IMAGE", callback=pinned, help="The operator's default engine image."),
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="For manifests that name none.")] = "default",
    nodes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Nodes to choose from when the card is auto: kubectl get nodes,pods -A -o json."
        ),
    ] = None,
) -> None:
    """Print every object that the operator would make of a MeditronDeployment, as YAML, without a cluster.

    The same code as the operator's: a pull request can show what a change does.

      meditron render -f deployment.yaml | diff -u rendered.yaml -
    """
    from meditron_operator.cli.render import Place, render  # noqa: PLC0415 - it needs the kubernetes package

    place = Place(operator_namespace=operator_namespace, engine_image=engine_image, namespace=namespace, nodes=nodes)
    raise typer.Exit(render(filename, place))


@app.command()
def operator(  # noqa: PLR0913 - the options are the command's interface
    *,
    engine_image: Annotated[
        str | None,
        typer.Option(
            envvar="MEDITRON_ENGINE_IMAGE",
            callback=pinned,
            help="Image of text-generation-inference for deployments that name none, pinned by digest.",
        ),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(envvar="MEDITRON_NAMESPACE", help="Namespace that the operator's own pods run in."),
    ] = "meditron-system",
    watch_namespace: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MEDITRON_WATCH_NAMESPACES",
            metavar="NAME",
            callback=namespaces,
            help="Serve the deployments of this namespace only; may be repeated. (default: all namespaces)",
        ),
    ] = None,
    health_port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="MEDITRON_HEALTH_PORT", help="Port of /healthz and /readyz.")
    ] = 8080,
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="MEDITRON_WORKERS", help="Deployments worked on at a time.")
    ] = 8,
    identity: Annotated[
        str,
        typer.Option(
            envvar="MEDITRON_IDENTITY",
            metavar="NAME",
            help="Who holds the lease; two that run at once must differ. (default: the host's name and a random part)",
        ),
    ] = "",
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Run the operator: in a pod with its service account, elsewhere with the kubeconfig of KUBECONFIG.

    It watches MeditronDeployments and keeps running until it is told to stop. Of two that run at once one holds a lease
    and works, and the other waits for it.
    """
    from meditron_operator.cli.operator import run_operator  # noqa: PLC0415 - `meditron --help` needs no Kopf
    from meditron_operator.config import Config  # noqa: PLC0415

    config = Config(
        operator_namespace=namespace,
        identity=identity or own_identity(),
        watched_namespaces=tuple(watch_namespace or ()),
        engine_image=engine_image,
        health_port=health_port,
        workers=workers,
    )
    run_operator(config, log_level)


@app.command()
def guard(
    namespace: Annotated[
        str,
        typer.Option(envvar="MEDITRON_NAMESPACE", help="Namespace whose kill switch is that of the whole cluster."),
    ] = "meditron-system",
    health_port: Annotated[
        int,
        typer.Option(min=1, max=65535, envvar="MEDITRON_HEALTH_PORT", help="Port of /healthz, /readyz and /metrics."),
    ] = 8080,
    fail_closed_after: Annotated[
        float,
        typer.Option(
            min=0.0,
            envvar="MEDITRON_FAIL_CLOSED_AFTER_SECONDS",
            metavar="SECONDS",
            help="Stop everything when the kill switch can't be read for so long. 0: never.",
        ),
    ] = 0.0,
    identity: Annotated[
        str,
        typer.Option(
            envvar="MEDITRON_IDENTITY",
            metavar="NAME",
            help="Who goes first; two that run at once must differ. (default: the host's name and a random part)",
        ),
    ] = "",
    log_level: LogLevelOption = LogLevel.INFO,
) -> None:
    """Run the guard of the kill switch: it takes down what is engaged, proves that it is off, and tells.

    Run it beside the operator, twice: each works alone, with an account of its own, and needs no other part of ours.
    """
    from meditron_operator.cli.guard import run_guard  # noqa: PLC0415 - `meditron --help` needs no aiohttp
    from meditron_operator.config import GuardConfig  # noqa: PLC0415

    config = GuardConfig(
        operator_namespace=namespace,
        identity=identity or own_identity(),
        health_port=health_port,
        fail_closed_after_seconds=fail_closed_after,
    )
    run_guard(config, log_level)
