"""What a request asks for (R lib.rs): the shapes of the bodies, and one form for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.doubles.tgi.bodies import (
    Field,
    MismatchError,
    Shape,
    anything,
    boolean,
    integer,
    listed,
    number,
    one_of,
    optional,
    text,
)

_NUMBER: Final = Field(optional(number), None)
_FLAG: Final = Field(boolean, False)


def _integer(kind: str, *aliases: str) -> Field:
    return Field(optional(integer(kind)), None, aliases)


GRAMMAR: Final = Shape("GrammarType", {"type": Field(text), "value": Field(anything)})
PARAMETERS: Final = Shape(
    "GenerateParameters",
    {
        "best_of": _integer("usize"),
        "temperature": _NUMBER,
        "repetition_penalty": _NUMBER,
        "frequency_penalty": _NUMBER,
        "top_k": _integer("i32"),
        "top_p": _NUMBER,
        "typical_p": _NUMBER,
        "do_sample": _FLAG,
        "max_new_tokens": _integer("u32"),
        "return_full_text": Field(optional(boolean), None),
        "stop": Field(listed(text), ()),
        "truncate": _integer("usize"),
        "watermark": _FLAG,
        "details": _FLAG,
        "decoder_input_details": _FLAG,
        "seed": _integer("u64"),
        "top_n_tokens": _integer("u32"),
        "grammar": Field(optional(GRAMMAR), None),
        "adapter_id": Field(optional(text), None),
    },
)
# A request without `parameters` samples; one with parameters samples only if they say so.
NO_PARAMETERS: Final = PARAMETERS({}) | {"do_sample": True}
GENERATE: Final = Shape("GenerateRequest", {"inputs": Field(text), "parameters": Field(PARAMETERS, NO_PARAMETERS)})
COMPAT_GENERATE: Final = Shape("CompatGenerateRequest", {**GENERATE.fields, "stream": _FLAG})

_CHUNK: Final = Shape(
    "MessageChunk", {"type": Field(text), "text": Field(text, ""), "image_url": Field(anything, None)}
)
_MESSAGE: Final = Shape(
    "Message",
    {
        "role": Field(text),
        "content": Field(optional(one_of("MessageContent", text, listed(_CHUNK))), None),
        "name": Field(optional(text), None),
    },
)
_STREAM_OPTIONS: Final = Shape("StreamOptions", {"include_usage": _FLAG})
CHAT: Final = Shape(
    "ChatRequest",
    {
        "model": Field(optional(text), None),
        "messages": Field(listed(_MESSAGE)),
        "frequency_penalty": _NUMBER,
        "logprobs": Field(optional(boolean), None),
        "top_logprobs": _integer("u32"),
        "max_tokens": _integer("u32", "max_completion_tokens"),
        "presence_penalty": _NUMBER,
        "stop": Field(optional(listed(text)), None),
        "stream": _FLAG,
        "seed": _integer("u64"),
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "tools": Field(optional(listed(anything)), None),
        "tool_choice": Field(anything, None),
        "response_format": Field(optional(GRAMMAR), None),
        "guideline": Field(optional(text), None),
        "stream_options": Field(optional(_STREAM_OPTIONS), None),
    },
)


def _prompt(value: Any) -> list[str]:
    if value == []:
        raise MismatchError("Empty array detected. Do not use an empty array for the prompt.")
    found = one_of("PromptValue", text, listed(text))(value)
    return [found] if isinstance(found, str) else list(found)


COMPLETION: Final = Shape(
    "CompletionRequest",
    {
        "model": Field(optional(text), None),
        "prompt": Field(_prompt),
        "max_tokens": _integer("u32"),
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "stream": _FLAG,
        "seed": _integer("u64"),
        "suffix": Field(optional(text), None),
        "repetition_penalty": _NUMBER,
        "frequency_penalty": _NUMBER,
        "stop": Field(optional(listed(text)), None),
    },
)
_INSTANCE: Final = Shape(
    "GenerateVertexInstance", {"inputs": Field(text), "parameters": Field(optional(PARAMETERS), None)}
)
VERTEX: Final = Shape("VertexRequest", {"instances": Field(listed(one_of("VertexInstance", _INSTANCE, CHAT)))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request for one answer, not yet validated."""

    inputs: str
    special: bool = True  # chat templates bring their own special tokens
    best_of: int | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: int | None = None
    return_full_text: bool | None = None
    stop: tuple[str, ...] = ()
    truncate: int | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: int | None = None
    top_n_tokens: int | None = None
    grammar: Mapping[str, Any] | None = None
    adapter_id: str | None = None


def generate(body: Mapping[str, Any]) -> Wanted:
    """From a GENERATE or COMPAT_GENERATE body."""
    parameters = dict(body["parameters"])
    return Wanted(inputs=body["inputs"], **parameters | {"stop": tuple(parameters["stop"])})


def vertex(instance: Mapping[str, Any]) -> Wanted:
    """Of the parameters only two are heard (R vertex.rs)."""
    parameters = instance["parameters"] or {}
    return Wanted(
        inputs=instance["inputs"],
        do_sample=True,
        max_new_tokens=parameters.get("max_new_tokens"),
        seed=parameters.get("seed"),
        details=True,
        decoder_input_details=True,
    )


def completion(body: Mapping[str, Any], prompt: str) -> Wanted:
    """R server.rs, fn completions: greedy only at temperature 0."""
    greedy = body["temperature"] == 0.0
    return Wanted(
        inputs=prompt,
        temperature=None if greedy else body["temperature"],
        repetition_penalty=body["repetition_penalty"],
        frequency_penalty=body["frequency_penalty"],
        top_p=body["top_p"],
        do_sample=not greedy,
        max_new_tokens=body["max_tokens"],
        stop=tuple(body["stop"] or ()),
        details=True,
        decoder_input_details=not body["stream"],
        seed=body["seed"],
        adapter_id=adapter_of(body["model"]),
    )


def chat(body: Mapping[str, Any], inputs: str, grammar: Mapping[str, Any] | None) -> Wanted:
    """R lib.rs, ChatRequest::try_into_generate."""
    greedy = body["temperature"] == 0.0
    presence = body["presence_penalty"]
    return Wanted(
        inputs=inputs,
        special=False,
        temperature=None if greedy else body["temperature"],
        repetition_penalty=None if presence is None else presence + 2.0,
        frequency_penalty=body["frequency_penalty"],
        top_p=body["top_p"],
        do_sample=not greedy,
        max_new_tokens=body["max_tokens"],
        stop=tuple(body["stop"] or ()),
        details=True,
        decoder_input_details=not body["stream"],
        seed=body["seed"],
        top_n_tokens=body["top_logprobs"],
        grammar=grammar,
        adapter_id=adapter_of(body["model"]),
    )


def adapter_of(model: str | None) -> str | None:
    """Any `model` but `tgi` is an adapter's name, of a known adapter or not."""
    return None if model == "tgi" else model
