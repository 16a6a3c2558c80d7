"""One HTTP session to the API server: address, certificates, rotating token."""

import math
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from kubernetes import config as kubeconfig
from kubernetes.client import Configuration
from kubernetes.config import incluster_config
from yarl import URL

from meditron_operator.errors import ApiError


@dataclass(frozen=True, slots=True)
class Connection:
    """A session and the server that it is for."""

    server: str
    http: aiohttp.ClientSession


KEEP_ALIVE_SECONDS = 15.0
TOKEN_SECONDS = 60.0  # kubelet writes a new one when a fifth of its hour is left
_HEADER_SECONDS = 1.0  # of a header's use before it is asked for anew: a kubeconfig is read from its begin each time
_REQUESTS = 100  # at the same time, the watches apart


def load_configuration() -> Configuration:
    """The pod's service account, or the kubeconfig that KUBECONFIG or the home folder names.

    Raises ApiError, in one line, when there is neither or when it can't be used.
    """
    configuration = Configuration()
    try:
        _load(configuration)
        URL(configuration.host).origin()
        _tls(configuration)
    except Exception as error:  # a broken file raises whatever the kubernetes package stumbles over in it
        words = " ".join(str(error).split())
        where = kubeconfig.KUBE_CONFIG_DEFAULT_LOCATION
        raise ApiError(
            f"no cluster to talk to: not in a pod, and the kubeconfig {where} is of no use ({words}); set KUBECONFIG"
        ) from error
    return configuration


def _load(configuration: Configuration) -> None:
    try:
        kubeconfig.load_incluster_config(configuration, try_refresh_token=False)  # type: ignore[no-untyped-call]
    except kubeconfig.ConfigException:
        kubeconfig.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        token = TokenFile(Path(incluster_config.SERVICE_TOKEN_FILENAME), time.monotonic)
        configuration.refresh_api_key_hook = token  # type: ignore[assignment]


class TokenFile:
    """The service account's token, read anew each minute by a clock that never jumps.

    The kubernetes package goes by the wall clock: set back by a day, that would keep an expired token for a day.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._due = clock() + TOKEN_SECONDS

    def __call__(self, configuration: Configuration) -> None:
        if self._clock() < self._due:
            return
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except OSError:  # it is being replaced; the one before may still do
            return
        if token:
            configuration.api_key["BearerToken"] = f"Bearer {token}"
            self._due = self._clock() + TOKEN_SECONDS


def connect(
    configuration: Configuration,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    streams: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Connection:
    """Open the session; the caller closes `http`. Connections that idle are kept for `keep_alive_seconds`; `streams`
    is how many are held for ever by watches, beside those of requests. A new token is used within a second."""
    http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=_tls(configuration), limit=_REQUESTS + streams, keepalive_timeout=keep_alive_seconds
        ),
        middlewares=(_Authorization(configuration, clock),),
        timeout=aiohttp.ClientTimeout(sock_connect=10),
    )
    return Connection(server=configuration.host, http=http)


class _Authorization:
    """Adds the token, which the kubernetes package renews from its file or plugin when it is due.

    A redirect comes through here as a new request: the token goes to the API server and nowhere else.
    """

    def __init__(self, configuration: Configuration, clock: Callable[[], float]) -> None:
        self._configuration = configuration
        self._origin = URL(configuration.host).origin()
        self._clock = clock
        self._header: str | None = None
        self._due = -math.inf

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._clock() >= self._due:
            self._header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
            self._due = self._clock() + _HEADER_SECONDS
        header = self._header
        if header and request.url.origin() == self._origin:
            request.headers[aiohttp.hdrs.AUTHORIZATION] = header
        return await handler(request)


def _tls(configuration: Configuration) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https:"):
        return False
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check(configuration: Configuration) -> None:
    """Raises whatever the address or the certificates of a configuration that can't be used come to."""
    URL(configuration.host).origin()
    _tls(configuration)
