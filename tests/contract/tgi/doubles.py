"""Starts doubles, each with a loopback address and a folder of its own, and ends them by process id."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
PORT: Final = 8080
CONTROL_PORT: Final = 8081
START_SECONDS: Final = 20.0
END_SECONDS: Final = 20.0
LLAMA_7B: Final = {
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "max_position_embeddings": 2048,
}
_numbers = itertools.count(1)


def own_address() -> str:
    """One of the 16 million addresses of the loopback, which no other test uses: ports need no search."""
    low, number = os.getpid() & 0xFFFF, next(_numbers)
    return f"127.{low >> 8}.{low & 255}.{number % 250 + 1}"


def make_model(folder: Path, config: Mapping[str, Any] | None = None, *, template: bool = True) -> Path:
    """What the double looks for in a model's directory."""
    model = folder / "model"
    model.mkdir(parents=True)
    (model / "model.safetensors").touch()
    (model / "config.json").write_text(json.dumps(config or {}), encoding="utf-8")
    tokenizer = {"chat_template": "{{ messages }}"} if template else {}
    (model / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return model


@dataclass
class Double:
    """One process, from its start to its end."""

    folder: Path
    env: dict[str, str]
    argv: Sequence[str] = ()
    address: str = field(default_factory=own_address)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.env.get('PORT', PORT)}"

    @property
    def control(self) -> str:
        return f"http://{self.address}:{CONTROL_PORT}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text(encoding="utf-8")

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        model = self.folder / "model"
        if not model.exists():
            make_model(self.folder)
        defaults = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "MODEL_ID": str(model),
            "HOSTNAME": self.address,
            "PORT": str(PORT),
            "SHARD_UDS_PATH": str(self.folder / "shard"),
            "DOUBLE_CONTROL_PORT": str(CONTROL_PORT),
            "DOUBLE_CONTROL_HOST": self.address,
            "DOUBLE_TOKEN_SECONDS": "0.002",
        }
        with (self.folder / "log").open("ab") as log, (self.folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.doubles.tgi", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
                env=defaults | self.env,
                cwd=self.folder,
            )

    def is_open(self, port: int | None = None) -> bool:
        with suppress(OSError), socket.create_connection((self.address, port or int(self.env.get("PORT", PORT))), 1):
            return True
        return False

    def wait_open(self, port: int | None = None) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_open(port):
            assert self.running.poll() is None, f"ended with {self.running.poll()}: {self.errors}\n{self.log}"
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def wait_logged(self, text: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def wait_end(self) -> int:
        return self.running.wait(END_SECONDS)

    def terminate(self) -> None:
        self.running.send_signal(signal.SIGTERM)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_SECONDS)


@contextmanager
def double(
    folder: Path, env: Mapping[str, str] | None = None, argv: Sequence[str] = (), *, wait: bool = True
) -> Iterator[Double]:
    """A double, ready unless `wait` is false; it is gone when the block ends."""
    one = Double(folder, dict(env or {}), argv)
    try:
        one.start()
        if wait:
            one.wait_open()
        yield one
    finally:
        one.end()
    assert "Traceback" not in one.errors, one.errors  # no request may surprise it
