"""One HTTP session to the API server, shared with Kopf: address, certificates, rotating token."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from kubernetes import config as kubeconfig
from kubernetes.client import Configuration
from yarl import URL

from meditron_operator.errors import ApiError


@dataclass(frozen=True, slots=True)
class Connection:
    """A session and the server that it is for."""

    server: str
    http: aiohttp.ClientSession


KEEP_ALIVE_SECONDS = 15.0
_REQUESTS = 100  # at the same time, the watches apart

Observe = Callable[[str, URL], None]
"""Called with method and URL when the server has answered a request with a success."""


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
        kubeconfig.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except kubeconfig.ConfigException:
        kubeconfig.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]


def connect(
    configuration: Configuration,
    observe: Observe | None = None,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    streams: int = 0,
) -> Connection:
    """Open the session; the caller closes `http`. Connections that idle are kept for `keep_alive_seconds`; `streams`
    is how many are held for ever by watches, beside those of requests."""
    tracing = aiohttp.TraceConfig()
    if observe is not None:
        tracing.on_request_end.append(_tell(observe))
    http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=_tls(configuration), limit=_REQUESTS + streams, keepalive_timeout=keep_alive_seconds
        ),
        middlewares=(_Authorization(configuration),),
        trace_configs=[tracing],
        timeout=aiohttp.ClientTimeout(sock_connect=10),
    )
    return Connection(server=configuration.host, http=http)


class _Authorization:
    """Adds the token, which the kubernetes package renews from its file or plugin when it is due.

    A redirect comes through here as a new request: the token goes to the API server and nowhere else.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._origin = URL(configuration.host).origin()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
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


def _tell(observe: Observe) -> Callable[[object, object, aiohttp.TraceRequestEndParams], Awaitable[None]]:
    async def on_request_end(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        if params.response.ok:
            observe(params.method, params.url)

    return on_request_end


def check(configuration: Configuration) -> None:
    """Raises whatever the address or the certificates of a configuration that can't be used come to."""
    URL(configuration.host).origin()
    _tls(configuration)
