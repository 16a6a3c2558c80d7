"""What can go wrong outside: the API server's answers in the kinds that the operator tells apart."""


class FatalError(Exception):
    """The process can't go on; `str()` is one line for people."""


class HubError(Exception):
    """A checkpoint's facts can't be had from the Hub; `str()` is one line for people."""


class ApiError(Exception):
    """The API server answered with an error, or didn't answer; `str()` is one line for people."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """404: it is not, or no longer, there."""


class ConflictError(ApiError):
    """409: it exists already, or changed since it was read."""


class RefusedError(ApiError):
    """400, 403 or 422: the same request will be refused again until somebody changes something."""


class UnavailableError(ApiError):
    """429, 5xx, a time-out or no connection: worth another try later."""


class FencedError(UnavailableError):
    """Not even sent: another operator may be at work."""


class UnauthorizedError(UnavailableError):
    """401: who we are is not known; a token may be renewed meanwhile."""


class UntrustedError(UnavailableError):
    """No TLS with whoever answers there: of another authority, or no TLS at all."""
