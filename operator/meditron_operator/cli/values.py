"""Values of options: what is refused, in words."""

import platform
import secrets
from enum import StrEnum, auto
from typing import Annotated

import typer

from meditron_operator import names


def pinned(image: str | None) -> str | None:
    """An image that always means the same."""
    if image and not names.DIGEST.search(image):
        raise typer.BadParameter("must end in @sha256:<64 hex digits>: pin the image by digest")
    return image or None


def namespaces(asked: list[str] | None) -> list[str]:
    """Each once."""
    for name in asked or ():
        if not names.NAMESPACE.match(name):
            raise typer.BadParameter(f"{name!r} is no name of a namespace")
    return sorted(set(asked or ()))


def own_identity() -> str:
    """Of a process, in a lease."""
    return f"{platform.node()}_{secrets.token_hex(4)}"


class LogLevel(StrEnum):
    """Least important records to write."""

    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()


LogLevelOption = Annotated[
    LogLevel, typer.Option(envvar="MEDITRON_LOG_LEVEL", help="Least important records to write.")
]
