"""What the testbed itself asks of the API server, as admin."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from tests.testbed.errors import TestbedError
from tests.testbed.layout import Layout, Ports
from tests.testbed.waiting import wait_for

Manifest = dict[str, Any]

FIELD_MANAGER = "testbed"
TOKEN_SECONDS = 10 * 3600
_ESTABLISHED_LIMIT_SECONDS = 30.0
_REQUEST_LIMIT_SECONDS = 30
_FIRST_KINDS = ("Namespace", "CustomResourceDefinition")


def read_manifests(path: Path) -> list[Manifest]:
    """The objects in a YAML file, or in all `*.yaml` of a folder in the order of their names."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    try:
        documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    except OSError as unreadable:
        raise TestbedError(f"{path} can't be read: {unreadable.strerror}") from unreadable
    return [document for document in documents if document]


class Cluster:
    """A connection to the API server. Close it, or use it as a context manager."""

    def __init__(self, layout: Layout, ports: Ports) -> None:
        configuration = client.Configuration(host=ports.api_url)
        # Files, not a kubeconfig: the client would copy the keys from it to files in /tmp.
        configuration.ssl_ca_cert = str(layout.pki / "ca.crt")
        configuration.cert_file = str(layout.pki / "admin.crt")
        configuration.key_file = str(layout.pki / "admin.key")
        configuration.proxy = None
        self._api = client.ApiClient(configuration)
        self._discovery = layout.root / "discovery.json"
        self._dynamic: DynamicClient | None = None

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()  # type: ignore[no-untyped-call]

    def apply(self, objects: Iterable[Manifest]) -> None:
        """Server-side apply, forced; namespaces and CRDs first, the rest once the CRDs are established."""
        ordered = sorted(objects, key=lambda each: each["kind"] not in _FIRST_KINDS)
        definitions = [each for each in ordered if each["kind"] == "CustomResourceDefinition"]
        early = sum(each["kind"] in _FIRST_KINDS for each in ordered)
        for each in ordered[:early]:
            self._apply(each)
        for each in definitions:
            self._wait_established(each["metadata"]["name"])
        for each in ordered[early:]:
            self._apply(each)

    def would_store(self, manifest: Manifest) -> Manifest | None:
        """What the server would make of this object now; None while it has no answer yet.

        A policy whose parameters are of a kind that is seconds old, or older than the server's start, is not answered
        for: 503, or a refusal that says so.
        """
        try:
            answer = self._client().server_side_apply(  # type: ignore[no-untyped-call]
                self._resource(manifest), body=manifest, field_manager=FIELD_MANAGER, dry_run="All"
            )
        except DynamicApiError as refused:
            if refused.status == 503 or "referenced by paramKind" in str(refused):
                return None
            raise
        return dict(answer.to_dict())

    def create_nodes(self, nodes: Iterable[Manifest]) -> None:
        """Create the nodes with their status, which an apply would leave out."""
        resource = self._resource({"apiVersion": "v1", "kind": "Node"})
        for node in nodes:
            resource.create(body=node, _request_timeout=_REQUEST_LIMIT_SECONDS)

    def ready_nodes(self) -> set[str]:
        """Names of the nodes that are Ready."""
        return {node.metadata.name for node in self._nodes() if _has_condition(node, "Ready")}

    def node_names(self) -> set[str]:
        return {node.metadata.name for node in self._nodes()}

    def add_capacity(self, node: str, resources: dict[str, str]) -> None:
        """Into the node's status, beside what its kubelet found."""
        body = {"status": {"capacity": resources, "allocatable": resources}}
        core: Any = client.CoreV1Api(self._api)
        core.patch_node_status(node, body, _request_timeout=_REQUEST_LIMIT_SECONDS)

    def pod_range(self, node: str) -> str | None:
        """The addresses that the node may give to pods; None until it is there and has some."""
        found = (each.spec.pod_cidr for each in self._nodes() if each.metadata.name == node)
        return next(found, None)

    def _nodes(self) -> list[Any]:
        return list(client.CoreV1Api(self._api).list_node(_request_timeout=_REQUEST_LIMIT_SECONDS).items)

    def has_service_account(self, namespace: str, name: str) -> bool:
        api = client.CoreV1Api(self._api)
        selected = f"metadata.name={name}"
        return bool(api.list_namespaced_service_account(namespace, field_selector=selected).items)

    def token(self, namespace: str, name: str) -> str:
        """A token of this service account, good for ten hours (TokenRequest API)."""
        request: Any = {"spec": {"expirationSeconds": TOKEN_SECONDS, "audiences": []}}
        core: Any = client.CoreV1Api(self._api)
        try:
            answer = core.create_namespaced_service_account_token(name, namespace, request)
        except ApiException as refused:
            problem = f"no token for service account {namespace}/{name}: {refused.reason}"
            raise TestbedError(problem) from refused
        return str(answer.status.token)

    def _apply(self, manifest: Manifest) -> None:
        try:
            self._client().server_side_apply(  # type: ignore[no-untyped-call]
                self._resource(manifest),
                body=manifest,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                _request_timeout=_REQUEST_LIMIT_SECONDS,
            )
        except DynamicApiError as refused:
            name = manifest["metadata"].get("name")
            reason = " ".join(str(refused.summary()).split())  # type: ignore[no-untyped-call]
            raise TestbedError(f"the API server refuses {manifest['kind']} {name}: {reason}") from refused

    def _resource(self, manifest: Manifest) -> Any:
        version, kind = manifest["apiVersion"], manifest["kind"]
        try:
            return self._client().resources.get(api_version=version, kind=kind)
        except ResourceNotFoundError as unknown:
            raise TestbedError(f"the API server knows no {kind} in {version}: is its CRD applied?") from unknown

    def _client(self) -> DynamicClient:
        """Made when first needed, since making it asks the server for its API groups."""
        if self._dynamic is None:
            # Without a name the client keeps the list of a server in /tmp, under the server's port.
            cache = str(self._discovery)
            self._dynamic = DynamicClient(self._api, cache_file=cache)  # type: ignore[no-untyped-call]
        return self._dynamic

    def _wait_established(self, name: str) -> None:
        definitions: Any = client.ApiextensionsV1Api(self._api)

        def established() -> bool:
            definition = definitions.read_custom_resource_definition(name)
            return _has_condition(definition, "Established") and self._is_served(definition)

        wait_for(f"the CRD {name} to be established and served", established, _ESTABLISHED_LIMIT_SECONDS)

    def _is_served(self, definition: Any) -> bool:
        """False in the moment after Established, when the API server says "storage is (re)initializing"."""
        spec = definition.spec
        version = next(each.name for each in spec.versions if each.served)
        api = client.CustomObjectsApi(self._api)
        try:
            api.list_cluster_custom_object(spec.group, version, spec.names.plural, limit=1)
        except ApiException as answer:
            if answer.status in {404, 429}:
                return False
            raise
        return True


def wait_ready(cluster: Cluster, names: Collection[str], limit_seconds: float) -> None:
    """Wait until all of these nodes are Ready."""
    wait_for(f"{len(names)} nodes to be Ready", lambda: cluster.ready_nodes() >= set(names), limit_seconds)


def _has_condition(found: Any, kind: str) -> bool:
    conditions = (found.status.conditions if found.status else None) or ()
    return any(condition.type == kind and condition.status == "True" for condition in conditions)
