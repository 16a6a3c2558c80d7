"""The session: the token that rotates, where it goes, and the words for a configuration that can't be used."""

import base64
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from kubernetes.client import Configuration

from meditron_operator.errors import ApiError
from meditron_operator.shell.session import TokenFile, connect, load_configuration
from tests.unit.apiserver import Answer, ApiServer, connected, serving

OK = Answer(200, b"{}")


async def test_the_token_is_added_to_every_request() -> None:
    server = ApiServer(lists=deque([OK]))
    async with connected(server, token="t0ken") as (_, connection):  # noqa: S106
        for _ in range(2):
            async with connection.http.get(connection.server + "/api"):
                pass
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer t0ken"] * 2


async def test_without_a_token_there_is_no_header() -> None:
    """Certificates need none."""
    server = ApiServer(lists=deque([OK]))
    async with connected(server) as (_, connection), connection.http.get(connection.server + "/api"):
        pass
    assert "Authorization" not in server.headers[0]


async def test_a_rotated_token_is_used_within_a_second() -> None:
    server, tokens = ApiServer(lists=deque([OK])), iter(["one", "two"])

    def renew(configuration: Configuration) -> None:
        configuration.api_key["authorization"] = f"Bearer {next(tokens)}"

    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        configuration.api_key["authorization"] = "Bearer stale"
        configuration.refresh_api_key_hook = renew  # type: ignore[assignment]
        moments = iter((0.0, 0.0, 0.9, 1.0, 1.0))
        connection = connect(configuration, clock=lambda: next(moments))
        for _ in range(3):
            async with connection.http.get(url + "/api"):
                pass
        await connection.http.close()
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer one", "Bearer one", "Bearer two"]


def test_a_pods_token_is_read_anew_by_a_clock_that_never_jumps(tmp_path: Path) -> None:
    """Not by the wall clock, and an empty or missing file leaves the one before."""
    configuration, now, path = Configuration(), 100.0, tmp_path / "token"
    token = TokenFile(path, lambda: now)

    def header(content: str | None, later: float) -> str | None:
        nonlocal now
        now += later
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content, encoding="utf-8")
        return configuration.get_api_key_with_prefix("BearerToken", alias="authorization")

    configuration.api_key["BearerToken"] = "bearer first"
    configuration.refresh_api_key_hook = token  # type: ignore[assignment]
    assert header("second\n", 59) == "bearer first"
    assert header("second\n", 1) == "Bearer second"
    assert header("third", 59) == "Bearer second"
    assert header(None, 1) == "Bearer second"
    assert header("", 1) == "Bearer second"
    assert header("fourth", 1) == "Bearer fourth"


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("t0ken", encoding="utf-8")
    trustme.CA().cert_pem.write_to_path(authority)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(authority))

    found = load_configuration()

    assert found.host == "https://10.0.0.1:443"
    assert found.get_api_key_with_prefix("BearerToken", alias="authorization") == "bearer t0ken"
    assert isinstance(found.refresh_api_key_hook, TokenFile)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_does_not_carry_the_token_away(status: int) -> None:
    other = ApiServer(lists=deque([OK]))
    async with serving(other) as elsewhere:
        server = ApiServer(lists=deque([Answer(status, headers={"Location": elsewhere + "/steal"})]))
        async with (
            connected(server, token="t0ken") as (_, connection),  # noqa: S106
            connection.http.get(connection.server + "/api"),
        ):
            pass
    assert "Authorization" in server.headers[0]
    assert all("Authorization" not in headers for headers in other.headers)


def kubeconfig(server: str = "https://127.0.0.1:6443", **cluster: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "a", "user": {"token": "t0ken"}}],
    }


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    path = tmp_path / "config"
    # KUBECONFIG itself is read when the package is imported
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


def loaded(config: Path, content: dict[str, Any]) -> Configuration:
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_configuration()


def test_a_kubeconfig_is_read(config: Path) -> None:
    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    found = loaded(config, kubeconfig(**{"certificate-authority-data": authority}))
    assert found.host == "https://127.0.0.1:6443"
    assert found.get_api_key_with_prefix("BearerToken") == "Bearer t0ken"


async def test_the_token_of_a_kubeconfig_is_sent(config: Path) -> None:
    """Under which name the kubernetes package keeps it has changed with its version 37."""
    server = ApiServer(lists=deque([OK]))
    async with serving(server) as url:
        connection = connect(loaded(config, kubeconfig(url)))
        async with connection.http.get(url + "/api"):
            pass
        await connection.http.close()
    assert server.headers[0]["Authorization"] == "Bearer t0ken"


BROKEN: dict[str, str] = {
    "empty": "",
    "not YAML": "not: [valid",
    "not a mapping": "text",
    "no such context": yaml.safe_dump(kubeconfig() | {"current-context": "b"}),
    "no such cluster": yaml.safe_dump(kubeconfig() | {"clusters": []}),
    "authority is not there": yaml.safe_dump(kubeconfig(**{"certificate-authority": "/nowhere/ca.crt"})),
    "authority is no certificate": yaml.safe_dump(kubeconfig(**{"certificate-authority-data": "bm9wZQ=="})),
    "no scheme": yaml.safe_dump(kubeconfig("127.0.0.1")),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_a_kubeconfig_is_one_line(text: str, config: Path) -> None:
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ApiError) as caught:
        load_configuration()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("no cluster to talk to: ")
    assert str(caught.value).endswith("; set KUBECONFIG")


def test_no_kubeconfig_at_all(config: Path) -> None:
    assert not config.exists()
    with pytest.raises(ApiError, match="no cluster to talk to"):
        load_configuration()
