"""The testbed's own certificate authority: kubeconfigs verify their server, users are certificates."""

import base64
from typing import Any

import trustme
import yaml

from tests.testbed.layout import API_SERVICE_ADDRESS, LOOPBACK, NODE_ADDRESS, Layout

ADMIN_GROUP = "system:masters"
SERVER_NAMES = (LOOPBACK, "localhost", "kubernetes.default.svc", "kubernetes", NODE_ADDRESS, API_SERVICE_ADDRESS)


class Authority:
    """A CA whose files lie in `layout.pki`: ca.crt, ca.key, server.*, admin.*, service-accounts.key."""

    def __init__(self, layout: Layout, authority: trustme.CA) -> None:
        self._layout = layout
        self._authority = authority

    @classmethod
    def create(cls, layout: Layout) -> "Authority":
        authority = trustme.CA(organization_name="testbed")
        layout.pki.mkdir(mode=0o700, exist_ok=True)
        authority.cert_pem.write_to_path(str(layout.pki / "ca.crt"))
        authority.private_key_pem.write_to_path(str(layout.pki / "ca.key"))
        server = authority.issue_cert(*SERVER_NAMES, common_name="testbed")
        server.cert_chain_pems[0].write_to_path(str(layout.pki / "server.crt"))
        server.private_key_pem.write_to_path(str(layout.pki / "server.key"))
        admin = _issue(authority, "admin", ADMIN_GROUP)
        admin.cert_chain_pems[0].write_to_path(str(layout.pki / "admin.crt"))
        admin.private_key_pem.write_to_path(str(layout.pki / "admin.key"))
        # The API server signs service account tokens with any key; this certificate is thrown away.
        tokens = _issue(authority, "service-accounts", "testbed")
        tokens.private_key_pem.write_to_path(str(layout.pki / "service-accounts.key"))
        return cls(layout, authority)

    @classmethod
    def load(cls, layout: Layout) -> "Authority":
        files = (layout.pki / "ca.crt").read_bytes(), (layout.pki / "ca.key").read_bytes()
        return cls(layout, trustme.CA.from_pem(*files))

    def credentials(self, user: str, group: str) -> dict[str, str]:
        """The user part of a kubeconfig for a fresh certificate with this user name and group."""
        leaf = _issue(self._authority, user, group)
        return {
            "client-certificate-data": _encoded(leaf.cert_chain_pems[0].bytes()),
            "client-key-data": _encoded(leaf.private_key_pem.bytes()),
        }

    def kubeconfig(self, server: str, credentials: dict[str, str]) -> str:
        """A kubeconfig's text: one cluster, one user, and the CA inside it."""
        return yaml.safe_dump(kubeconfig(server, self._authority.cert_pem.bytes(), credentials), sort_keys=False)


def kubeconfig(server: str, authority_pem: bytes, credentials: dict[str, str]) -> dict[str, Any]:
    """A kubeconfig with one context; `credentials` is its user: a token, or a certificate and its key."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "testbed",
                "cluster": {"server": server, "certificate-authority-data": _encoded(authority_pem)},
            }
        ],
        "users": [{"name": "testbed", "user": credentials}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    }


def _issue(authority: trustme.CA, user: str, group: str) -> trustme.LeafCert:
    """A client certificate. The host name is there because Go refuses trustme's empty list of names."""
    return authority.issue_cert("user.invalid", common_name=user, organization_name=group)


def _encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
