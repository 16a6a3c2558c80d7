"""The pod's volumes: weights that can only be read, and the few folders that the engine writes to."""

from kubernetes.client import (
    V1EmptyDirVolumeSource,
    V1ImageVolumeSource,
    V1PersistentVolumeClaimVolumeSource,
    V1Volume,
    V1VolumeMount,
)

from meditron_operator.core.engines.base import Launch, Sized
from meditron_operator.core.render.quantity import quantity

WEIGHTS = "weights"
SHARED_MEMORY = "shm"


def volumes(sized: Sized, launch: Launch) -> list[V1Volume]:
    """Weights, shared memory, scratch."""
    scratch = [
        V1Volume(name=folder.name, empty_dir=V1EmptyDirVolumeSource(size_limit=quantity(folder.limit_bytes)))
        for folder in launch.scratch
    ]
    shared_memory = V1EmptyDirVolumeSource(medium="Memory", size_limit=quantity(sized.plan.shm_bytes))
    return [_weights(sized), V1Volume(name=SHARED_MEMORY, empty_dir=shared_memory), *scratch]


def mounts(launch: Launch) -> list[V1VolumeMount]:
    """Where the volumes are in the container."""
    return [
        V1VolumeMount(name=WEIGHTS, mount_path=launch.model_mount, read_only=True),
        V1VolumeMount(name=SHARED_MEMORY, mount_path=launch.shared_memory_path),
        *(V1VolumeMount(name=folder.name, mount_path=folder.path) for folder in launch.scratch),
    ]


def _weights(sized: Sized) -> V1Volume:
    source = sized.spec.model.source
    if source.image is not None:
        image = V1ImageVolumeSource(reference=source.image.reference, pull_policy="IfNotPresent")
        return V1Volume(name=WEIGHTS, image=image)
    assert source.persistent_volume_claim is not None  # noqa: S101 - the spec holds exactly one
    claim = V1PersistentVolumeClaimVolumeSource(claim_name=source.persistent_volume_claim.claim_name, read_only=True)
    return V1Volume(name=WEIGHTS, persistent_volume_claim=claim)
