"""What a request can fail with (R infer/mod.rs, InferError): its words, its type and its status."""

from typing import Final


class InferError(Exception):
    """Answered as {"error", "error_type"}; in the streams of /v1 as {"error": {"message", "http_status_code"}}."""

    status: int = 422
    kind: str = ""
    label: str = ""  # of tgi_request_failure{err=…}; empty: not counted


class ValidationError(InferError):
    kind = "validation"
    label = "validation"

    def __init__(self, text: str) -> None:
        super().__init__(f"Input validation error: {text}")


class OverloadedError(InferError):
    status = 429
    kind = "overloaded"
    label = "overloaded"

    def __init__(self) -> None:
        super().__init__("Model is overloaded")


class GenerationError(InferError):
    """Counted where the batch fails, once for each request in it."""

    status = 424
    kind = "generation"

    def __init__(self, text: str) -> None:
        super().__init__(f"Request failed during generation: Server error: {text}")


class IncompleteError(InferError):
    """The engine's answer ended without its last message."""

    status = 500
    label = "incomplete"

    def __init__(self, *, stream: bool) -> None:
        super().__init__("Incomplete generation stream" if stream else "Incomplete generation")
        self.kind = "incomplete_generation_stream" if stream else "incomplete_generation"


class TemplateError(InferError):
    """Not counted when the template is missing: TGI counts only what the template itself raises."""

    kind = "template_error"

    def __init__(self) -> None:
        super().__init__("Template error: template not found")


class ToolError(InferError):
    kind = "tool_error"

    def __init__(self, text: str) -> None:
        super().__init__(f"Tool error: {text}")


NOT_IN_DOUBLE: Final = "the double has no tools"
