"""The pods' service account: no permissions, no token."""

from kubernetes.client import V1ServiceAccount

from meditron_operator.core.render.meta import Manifest, Owner, manifest, metadata


def service_account(owner: Owner) -> Manifest:
    """An identity of its own, so that nobody's rights on `default` reach the model."""
    return manifest(
        V1ServiceAccount(
            api_version="v1",
            kind="ServiceAccount",
            metadata=metadata(owner),
            automount_service_account_token=False,
        )
    )
