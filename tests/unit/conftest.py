"""Plain log lines: structlog's own default draws every traceback with all its variables, for seconds."""

import structlog

structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)])
