"""Which headers of a capture say something of the API, and not of the client or of what stands between."""

import re
from functools import lru_cache
from typing import Final

_COMMON: Final = re.compile(
    r"accept(?:-.*)?|access-control-.*|age|alt-used|authorization|baggage|cache-control|cdn-loop|cf-.*|connection"
    r"|content-.*|cookie|date|dnt|downlink|dpr|expect|forwarded|from|host|http2-settings|keep-alive|newrelic|origin|pragma"
    r"|postman-token|priority|proxy-.*|purpose|range|referer|rtt|save-data|sec-.*|sentry-trace|te|traceparent|tracestate"
    r"|trailer|transfer-encoding|upgrade(?:-.*)?|user-agent|via|viewport-width|x-amzn-.*|x-b3-.*|x-forwarded-.*|x-real-ip"
    r"|x-request-id|x-requested-with|x-client-data|x-datadog-.*|:.*"
)
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,60}")


@lru_cache(maxsize=4_096)
def says_something(name: str) -> bool:
    """Whether it may be a parameter of the operation, and none that clients and proxies send with all."""
    return _COMMON.fullmatch(name.lower()) is None and _NAME.fullmatch(name) is not None
