"""OCI images without a builder: layers are tar files, an image is JSON about them."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REGISTRY = "testbed.invalid"
"""No such host: whoever tries to pull one of these images notices at once."""

_CONFIG = "application/vnd.oci.image.config.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed tar file."""

    file: Path
    digest: str
    """`sha256:…` of the file."""


@dataclass(frozen=True, slots=True)
class Image:
    """Layers, lowest first, and how a container of them starts."""

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "10001:10001"
    working_folder: str = "/"


@dataclass(frozen=True, slots=True)
class Archive:
    """A file to import, and the name under which the image then is known: by its digest."""

    file: Path
    reference: str


def layer(content: Mapping[str, Path], file: Path) -> Layer:
    """Pack files and folders, each by its path in the image. Equal contents make equal layers."""
    with tarfile.open(file, "w") as archive:
        for target, source in sorted(content.items()):
            for parent in reversed(Path(target.lstrip("/")).parents[:-1]):
                archive.addfile(_folder(str(parent)))
            _add(archive, source, target.strip("/"))
    return Layer(file, digest_of(file))


def _add(archive: tarfile.TarFile, source: Path, name: str) -> None:
    if name:
        archive.add(source, arcname=name, recursive=False, filter=_owned_by_root)
    if source.is_dir() and not source.is_symlink():
        for entry in sorted(source.iterdir()):
            _add(archive, entry, f"{name}/{entry.name}".lstrip("/"))


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """And of no time."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def write_archive(image: Image, file: Path, tag: str | None = None) -> Archive:
    """An OCI archive as `ctr images import` takes it. Its name is by digest, unless a tag is given."""
    config = _json(_config(image))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [
                {"mediaType": _LAYER, "digest": each.digest, "size": each.file.stat().st_size} for each in image.layers
            ],
        }
    )
    described = _descriptor(_MANIFEST, manifest)
    reference = f"{REGISTRY}/{image.name}" + (f":{tag}" if tag else f"@{described['digest']}")
    named = described | {"annotations": {"io.containerd.image.name": reference}}
    with tarfile.open(file, "w") as archive:
        _write(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _write(archive, "index.json", _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [named]}))
        for blob in (config, manifest):
            _write(archive, _blob(_descriptor("", blob)["digest"]), blob)
        for each in image.layers:
            archive.add(each.file, arcname=_blob(each.digest))
    return Archive(file, reference)


def _config(image: Image) -> dict[str, Any]:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin"} | dict(image.env)
    return {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{name}={value}" for name, value in env.items()],
            "User": image.user,
            "WorkingDir": image.working_folder,
        },
        "rootfs": {"type": "layers", "diff_ids": [each.digest for each in image.layers]},
    }


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
