"""Bodies and events, byte for byte (R lib.rs, R server.rs, R chat.rs)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.doubles.tgi.errors import InferError
from tests.doubles.tgi.infer import Answer, Timings
from tests.doubles.tgi.model import Token
from tests.doubles.tgi.scheduler import END_OF_SEQUENCE, Step
from tests.doubles.tgi.tokenizer import Piece
from tests.doubles.tgi.validation import Valid

DONE: Final = b"data: [DONE]\n\n"
KEEP_ALIVE: Final = b":\n\n"
_PREFILL_LOGPROB: Final = -1.0


def dump(value: object) -> bytes:
    """As serde_json writes it: without blanks, and not escaped to ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: object) -> bytes:
    return b"data: " + dump(value) + b"\n\n"


def error(raised: InferError) -> dict[str, str]:
    return {"error": str(raised), "error_type": raised.kind}


def openai_error(raised: InferError) -> dict[str, Any]:
    """Only inside a stream, and with this status whatever went wrong."""
    return {"error": {"message": str(raised), "http_status_code": 422}}


def token(one: Token) -> dict[str, Any]:
    return {"id": one.id, "text": one.text, "logprob": one.logprob, "special": one.special}


def pieces(found: Iterable[Piece], text: str) -> list[dict[str, Any]]:
    return [
        {"id": piece.id, "text": text[piece.start : piece.stop], "start": piece.start, "stop": piece.stop}
        for piece in found
    ]


def answer(found: Answer, prompt: str, *, details: bool) -> dict[str, Any]:
    """The body of /generate. `prompt` is not empty where the full text was asked for."""
    body: dict[str, Any] = {"generated_text": prompt + found.text}
    if details:
        body["details"] = _sequence(found)
        if found.others:
            best = [{"generated_text": prompt + other.text} | _sequence(other) for other in found.others]
            body["details"]["best_of_sequences"] = best
    return body


def _sequence(found: Answer) -> dict[str, Any]:
    body: dict[str, Any] = {
        "finish_reason": found.reason,
        "generated_tokens": len(found.steps),
        "seed": found.valid.seed,
        "prefill": [
            {"id": piece.id, "text": piece.text, "logprob": _PREFILL_LOGPROB if position else None}
            for position, piece in enumerate(found.valid.prefill)
        ],
        "tokens": [token(step.token) for step in found.steps],
    }
    if found.valid.top_n_tokens:
        body["top_tokens"] = [[token(one) for one in step.others] for step in found.steps]
    return body


def stream_events(first: int, steps: Sequence[Step], last: Mapping[str, Any]) -> list[bytes]:
    """Events of /generate_stream, the first one with index `first`. `last` has what only the last one tells."""
    return [
        _stream_event(first + place, step, last if step.reason is not None else {}) for place, step in enumerate(steps)
    ]


def _stream_event(index: int, step: Step, last: Mapping[str, Any]) -> bytes:
    body: dict[str, Any] = {"index": index, "token": token(step.token)}
    if step.others:
        body["top_tokens"] = [token(one) for one in step.others]
    return event({**body, "generated_text": None, "details": None, **last})


def stream_details(valid: Valid, step: Step, generated: int) -> dict[str, Any]:
    return {
        "finish_reason": step.reason,
        "generated_tokens": generated,
        "seed": valid.seed,
        "input_length": valid.input_length,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What every body of /v1 carries."""

    created: int
    model: str
    fingerprint: str

    def head(self, kind: str) -> dict[str, Any]:
        return {
            "object": kind,
            "id": "",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def finish(reason: str) -> str:
    """OpenAI's word for the end; the other two stay TGI's."""
    return "stop" if reason == END_OF_SEQUENCE else reason


def chat(found: Answer, stamp: Stamp, *, logprobs: bool) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": found.text},
        "logprobs": _logprobs(found.steps) if logprobs else None,
        "finish_reason": finish(found.reason),
    }
    counted = usage(found.valid.input_length, len(found.steps))
    return stamp.head("chat.completion") | {"choices": [choice], "usage": counted}


def chat_chunk(step: Step, stamp: Stamp, *, logprobs: bool) -> bytes:
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": "" if step.token.special else step.token.text},
        "logprobs": _logprobs([step]) if logprobs else None,
        "finish_reason": None if step.reason is None else finish(step.reason),
    }
    return event(stamp.head("chat.completion.chunk") | {"choices": [choice], "usage": None})


def chat_usage(stamp: Stamp, prompt: int, completion: int) -> bytes:
    body = {"choices": [], "usage": usage(prompt, completion)}
    return event(stamp.head("chat.completion.chunk") | body)


def _logprobs(steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": step.token.text,
                "logprob": step.token.logprob,
                "top_logprobs": [{"token": one.text, "logprob": one.logprob} for one in step.others],
            }
            for step in steps
        ]
    }


def completion(answers: Sequence[Answer], stamp: Stamp) -> dict[str, Any]:
    choices = [_choice(index, one.text, finish(one.reason)) for index, one in enumerate(answers)]
    prompt = sum(one.valid.input_length for one in answers)
    counted = usage(prompt, sum(len(one.steps) for one in answers))
    return stamp.head("text_completion") | {"choices": choices, "usage": counted}


def completion_chunk(index: int, step: Step, stamp: Stamp, valid: Valid, generated: int) -> bytes:
    """The last one of each prompt has the usage, and TGI's own word for the end."""
    body = stamp.head("text_completion") | {"choices": [_choice(index, step.token.text, step.reason or "")]}
    return event(body if step.reason is None else body | {"usage": usage(valid.input_length, generated)})


def _choice(index: int, text: str, reason: str) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def headers(timings: Timings, characters: int, prompt_tokens: int, compute_type: str) -> dict[str, str]:
    """Of an answer that is not streamed. Milliseconds, but x-compute-time, which has seconds."""
    in_milliseconds = {
        "x-total-time": timings.total,
        "x-validation-time": timings.validation,
        "x-queue-time": timings.queue,
        "x-inference-time": timings.inference,
        "x-time-per-token": timings.per_token,
    }
    return {
        "x-compute-type": compute_type,
        "x-compute-time": str(timings.total),
        "x-compute-characters": str(characters),
        **{name: str(int(seconds * 1000)) for name, seconds in in_milliseconds.items()},
        "x-prompt-tokens": str(prompt_tokens),
        "x-generated-tokens": str(timings.tokens),
    }


def stream_headers(characters: int, compute_type: str) -> dict[str, str]:
    return {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-compute-type": compute_type,
        "x-compute-characters": str(characters),
        "X-Accel-Buffering": "no",
    }
