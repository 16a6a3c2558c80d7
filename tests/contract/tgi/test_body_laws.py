"""Any bytes and any JSON: a value of the wanted shape, or a refusal with words. Nothing else can come of it."""

import json
from contextlib import suppress
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.tgi import bodies, requests
from tests.doubles.tgi.errors import ValidationError
from tests.doubles.tgi.validation import Limits, validate

SHAPES: Final = (
    requests.GENERATE,
    requests.COMPAT_GENERATE,
    requests.CHAT,
    requests.COMPLETION,
    requests.VERTEX,
)
NAMES: Final = sorted({name for shape in (*SHAPES, requests.PARAMETERS) for name in shape.fields} | {"type", "value"})
LIMITS: Final = Limits(
    max_best_of=2,
    max_stop_sequences=4,
    max_top_n_tokens=5,
    max_input_tokens=100,
    max_total_tokens=200,
    grammar_support=True,
    prefill_logprobs=True,
    answer_tokens=20,
    adapters=frozenset({"ward"}),
    graphs_drop_adapters=True,
)

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
words = st.sampled_from(["json", "regex", "ward", "user", "text"])
values = st.recursive(
    leaves | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=5),
    max_leaves=12,
)
likely = st.fixed_dictionaries(
    {"inputs": st.text(min_size=1) | values},
    optional={"parameters": st.dictionaries(st.sampled_from(sorted(requests.PARAMETERS.fields)), values, max_size=4)},
)


@settings(max_examples=200, deadline=None)
@given(value=values | likely, shape=st.sampled_from(SHAPES))
def test_any_json(value: Any, shape: bodies.Shape) -> None:
    with suppress(bodies.BodyError, ValidationError):
        found = bodies.parse(json.dumps(value).encode(), "application/json", shape)
        if shape is requests.GENERATE:
            valid = validate(requests.generate(found), LIMITS, lambda: 1)
            assert valid.input_length + valid.chunk <= LIMITS.max_total_tokens
            assert sum(1 for _ in valid.voice.tokens(valid.top_n_tokens)) >= 1


@settings(deadline=None)
@given(body=st.binary() | st.text(alphabet='{}[]",:tfn019.eE-+\\u \n').map(str.encode))
def test_any_bytes(body: bytes) -> None:
    with suppress(bodies.BodyError):
        bodies.parse(body, "application/json", requests.GENERATE)
