"""Options that the commands of the kill switch share."""

from enum import StrEnum
from typing import Annotated

import typer

from meditron_operator.cli.switch import complete
from meditron_operator.cli.switch.asked import Asked


class Form(StrEnum):
    """Forms of an answer."""

    TABLE = "table"
    JSON = "json"


Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="The MeditronDeployment.", show_default=False, autocompletion=complete.deployments
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Its namespace. (default: the kubeconfig's)"),
]
WholeNamespace = Annotated[bool, typer.Option("--namespace-scope", help="Everything in the namespace, at once.")]
WholeCluster = Annotated[bool, typer.Option("--all", help="Every deployment of the cluster, at once.")]
OperatorNamespace = Annotated[
    str,
    typer.Option(
        envvar="MEDITRON_NAMESPACE", metavar="NAMESPACE", help="Where the operator runs: carries the switch of --all."
    ),
]
Context = Annotated[
    str | None, typer.Option(metavar="CONTEXT", help="Context of the kubeconfig. (default: the current one)")
]
Output = Annotated[Form, typer.Option("--output", "-o", help="Form of the answer.")]
HERE = "meditron-system"


def asked_for(  # noqa: PLR0913, PLR0917 - the options that all have
    name: str | None,
    namespace: str | None,
    whole_namespace: bool,
    whole_cluster: bool,
    operator_namespace: str,
    context: str | None,
) -> Asked:
    """What they come to, unchecked."""
    return Asked(
        name=name,
        namespace=namespace,
        whole_namespace=whole_namespace,
        whole_cluster=whole_cluster,
        operator_namespace=operator_namespace,
        context=context,
    )
