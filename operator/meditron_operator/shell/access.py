"""How a person reaches a cluster: a context of the kubeconfig, its namespace, and whom it tells to act as."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes import config as kubeconfig
from kubernetes.client import Configuration
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from meditron_operator.errors import ApiError
from meditron_operator.shell.session import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a person reaches a cluster."""

    configuration: Configuration
    namespace: str
    """The one that counts where none is named."""
    headers: tuple[tuple[str, str], ...] = ()
    """Whom the kubeconfig tells to act as."""


_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def load_access(context: str | None) -> Access:
    """A context of the kubeconfig, by default its current one; where there is no kubeconfig, the pod's account.

    Raises ApiError, in one line, when that can't be used.
    """
    where = kubeconfig.KUBE_CONFIG_DEFAULT_LOCATION
    try:
        config = KubeConfigMerger(where).config  # type: ignore[no-untyped-call]
        access = _in_pod() if config is None and context is None else _of_kubeconfig(config, context)
        check(access.configuration)
    except Exception as error:  # a broken file raises whatever the kubernetes package stumbles over in it
        words = " ".join(str(error).split())
        told = f"no cluster to talk to: the kubeconfig {where} is of no use ({words}); set KUBECONFIG or --context"
        raise ApiError(told) from error
    return access


def _in_pod() -> Access:
    configuration = Configuration()
    kubeconfig.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return Access(configuration=configuration, namespace=_POD_NAMESPACE.read_text(encoding="utf-8").strip())


def _of_kubeconfig(config: Any, context: str | None) -> Access:
    configuration = Configuration()
    loader = KubeConfigLoader(config, active_context=context, config_base_path=None)  # type: ignore[no-untyped-call]
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    chosen = loader.current_context["context"]
    user = config["users"].get_with_name(chosen["user"], safe=True) if chosen.get("user") else None
    return Access(
        configuration=configuration,
        namespace=chosen.get("namespace") or "default",
        headers=() if user is None else _impersonation(user.value["user"] or {}),
    )


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The kubernetes package passes over it, and so would act as somebody else than the person means."""
    if not user.get("as"):
        return ()
    groups = (("Impersonate-Group", group) for group in user.get("as-groups") or ())
    extras = (
        (f"Impersonate-Extra-{key}", value)
        for key, values in (user.get("as-user-extra") or {}).items()
        for value in values
    )
    uid = (("Impersonate-Uid", user["as-uid"]),) if user.get("as-uid") else ()
    return (("Impersonate-User", user["as"]), *groups, *extras, *uid)
