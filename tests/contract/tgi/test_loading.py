"""From the start of the process to the open port, and all the ways not to get there."""

import re
import signal
import socket
import time
from pathlib import Path

from tests.contract.tgi.doubles import CONTROL_PORT, double, make_model, own_address

MARKS = [
    "Starting check and download process for",
    "Successfully downloaded weights",
    "Starting shard",
    "Shard ready in",
    "Starting Webserver",
    "Warming up model",
    "KV-cache blocks: 4096, size: 16",
    "Setting max batch total tokens to 65536",
    "Using backend V3",
    "Connected",
]


def test_the_port_is_closed_while_it_loads_and_healthy_when_it_opens(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DOUBLE_LOAD_SECONDS": "0.5"}, wait=False) as one:
        one.wait_open(CONTROL_PORT)
        began = time.monotonic()
        while not one.is_open():
            assert "Connected" not in one.log
            assert time.monotonic() - began < 10
            time.sleep(0.02)
        assert time.monotonic() - began > 0.3
        with socket.create_connection((one.address, 8080), 5) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.0 200")


def test_the_log_has_its_marks_in_order_and_form(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"ATTENTION": "paged", "MAX_INPUT_TOKENS": "4096"}) as one:
        places = [one.log.index(mark) for mark in MARKS]
        assert places == sorted(places)
        ready = next(line for line in one.log.splitlines() if "Shard ready" in line)
        time_and_rest = (
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  INFO shard-manager: text_generation_launcher: .* rank=0"
        )
        assert re.fullmatch(time_and_rest, ready)


def test_a_hang_while_it_loads(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DOUBLE_LOAD": "hang"}, wait=False) as one:
        one.wait_logged("Starting shard")
        assert not one.is_open()
        one.terminate()
        assert one.wait_end() == 0
        assert "Shutting down shards" in one.log


def test_out_of_memory_in_the_warm_up(tmp_path: Path) -> None:
    env = {"DOUBLE_LOAD": "oom", "MAX_BATCH_PREFILL_TOKENS": "4096", "MAX_INPUT_TOKENS": "1", "MAX_TOTAL_TOKENS": "2"}
    with double(tmp_path / "one", env, wait=False) as one:
        assert one.wait_end() == 1
        text = "Not enough memory to handle 4096 prefill tokens. You need to decrease `--max-batch-prefill-tokens`"
        limits = "max_input_length=Some(1) max_prefill_tokens=4096 max_total_tokens=Some(2) max_batch_size=None"
        where = "warmup: text_generation_router_v3::client: backends/v3/src/client/mod.rs:45"
        assert f"ERROR warmup{{{limits}}}:{where}: Server error: {text}" in one.log
        assert f'Error: Backend(Warmup(Generation("{text}")))' in one.log
        assert "ERROR text_generation_launcher: Webserver Crashed" in one.log
        assert one.errors == "Error: WebserverFailed\n"


def test_a_shard_that_crashes_while_it_loads(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DOUBLE_LOAD": "shard", "NUM_SHARD": "2"}, wait=False) as one:
        assert one.wait_end() == 1
        assert "Shard complete standard error output" in one.log
        assert one.errors == "Error: ShardCannotStart\n"


def test_a_download_that_fails(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DOUBLE_LOAD": "download"}, wait=False) as one:
        assert one.wait_end() == 1
        assert "Download encountered an error" in one.log
        assert one.errors == "Error: DownloadError\n"


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"MODEL_ID": str(tmp_path / "absent")}, wait=False) as one:
        assert one.wait_end() == 1
        assert "Repo id must be in the form" in one.log
    empty = make_model(tmp_path / "two")
    (empty / "model.safetensors").unlink()
    with double(tmp_path / "two", wait=False) as one:
        assert one.wait_end() == 1
        assert "No local weights found" in one.log
    with double(tmp_path / "three", {"MODEL_ID": str(tmp_path / "absent"), "DOUBLE_WEIGHTS": "true"}):
        pass


def test_where_the_shards_sockets_can_not_be(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"SHARD_UDS_PATH": str(tmp_path / "absent" / "shard")}, wait=False) as one:
        assert one.wait_end() == 1
        assert one.errors == "Error: ShardCannotStart\n"


def test_a_signal_while_it_loads_ends_it_at_once(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with double(tmp_path / number.name, {"DOUBLE_LOAD_SECONDS": "60"}, wait=False) as one:
            one.wait_logged("Starting shard")
            one.running.send_signal(number)
            assert one.wait_end() == 0


def test_a_taken_port_ends_it(tmp_path: Path) -> None:
    address = own_address()
    with socket.create_server((address, 8080)), double(tmp_path / "one", {"HOSTNAME": address}, wait=False) as one:
        assert one.wait_end() == 1
        assert "Address already in use (os error 98)" in one.log
        assert one.errors == "Error: WebserverFailed\n"


def test_a_working_directory_that_can_not_be_written_is_no_hindrance(tmp_path: Path) -> None:
    """The router rewrites the tokenizer into ./out; a file is in the way here, as a read-only root would be."""
    folder = tmp_path / "one"
    make_model(folder)
    (folder / "out").touch()
    with double(folder) as one:
        assert "Failed to import python tokenizer" in one.log
