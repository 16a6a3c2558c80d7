"""What ends a command: one line for people, and an exit code."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from meditron_operator.cli.switch.asked import Target
from meditron_operator.core.killswitch.effective import Scope
from meditron_operator.errors import ApiError, NotFoundError, RefusedError, UnauthorizedError, UntrustedError

DONE, NOT_DONE, BAD_INPUT, REFUSED, INTERRUPTED = 0, 1, 2, 4, 130
"""Exit codes, with those of core.killswitch.outcome."""

_LOG_IN: Final = "log in again, or name another --context"


class Failed(Exception):  # noqa: N818 - it is how a command ends
    """`str()` is one line: what is wrong and what to do next."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(" ".join(words.split()))
        self.code = code


def failed(error: ApiError, what: str) -> Failed:
    """In words, of an answer that ends the command. `what` was not done."""
    if isinstance(error, UnauthorizedError):
        return Failed(REFUSED, f"{what}: {error}: {_LOG_IN}")
    if isinstance(error, UntrustedError):
        return Failed(BAD_INPUT, f"{what}: {error}: is it the right --context, and its certificate authority?")
    if isinstance(error, NotFoundError):
        return Failed(BAD_INPUT, f"{what}: {error}")
    if isinstance(error, RefusedError):
        return Failed(REFUSED, f"{what}: the API server refused: {error}")
    return Failed(NOT_DONE, f"{what}: {error}: run it again, which is safe")


def not_found(target: Target, there: Iterable[tuple[str, str]] | None, what: str) -> Failed:
    """The deployment, or the namespace, isn't there. `there`: all deployments by namespace and name; None: no such
    kind."""
    if target.scope is not Scope.DEPLOYMENT:
        hint = "where is the operator? --operator-namespace" if target.scope is Scope.CLUSTER else "see kubectl get ns"
        return Failed(BAD_INPUT, f"{what}: there is no namespace {target.namespace}: {hint}")
    if there is None:
        return Failed(BAD_INPUT, f"{what}: this cluster knows no MeditronDeployment: is it the right --context?")
    hint = _hint(target, tuple(there))
    return Failed(BAD_INPUT, f"{what}: there is no deployment {target}; {hint}")


def _hint(target: Target, there: tuple[tuple[str, str], ...]) -> str:
    elsewhere = [namespace for namespace, name in there if name == target.name]
    here = sorted(name for namespace, name in there if namespace == target.namespace)
    close = get_close_matches(target.name, here, n=3, cutoff=0.5)
    if elsewhere:
        return f"it is in namespace {', '.join(elsewhere)}: -n {elsewhere[0]}"
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are: {', '.join(here)}" if here else "none in this namespace: meditron status -A"
