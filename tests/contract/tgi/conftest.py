"""One healthy double for all tests that can share it; faults that a test set are gone for the next."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double, double

LIMITS = {
    "MAX_CONCURRENT_REQUESTS": "64",
    "MAX_INPUT_TOKENS": "1000",
    "MAX_TOTAL_TOKENS": "1512",
    "MAX_BATCH_PREFILL_TOKENS": "1000",
    "DOUBLE_KV_TOKENS": "16000",
    "LORA_ADAPTERS": "ward=/adapters/ward",
    "CUDA_GRAPHS": "0",
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    folder: Path = tmp_path_factory.mktemp("shared")
    with double(folder, LIMITS) as one:
        yield one


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
async def engine(shared: Double, http: aiohttp.ClientSession) -> AsyncIterator[Asking]:
    """The shared double, asked over HTTP."""
    asking = Asking(http, shared.url, shared.control)
    yield asking
    await asking.reset_faults()
