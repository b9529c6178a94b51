"""Reads a document from stdin and writes its description, or why it is refused, to stdout as JSON.

Run by `extensions.sandbox`. The one argument is a JSON object: `limits` (the fields of `DocumentLimits`), `memory`
(bytes of address space) and `cpu` (seconds).
"""

import json
import resource
import sys
from typing import Any


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    for limit, value in (
        (resource.RLIMIT_CPU, order["cpu"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, order["memory"]),
    ):
        resource.setrlimit(limit, (value, value))
    # The modules that read anything are imported under the limits.
    import gc

    from backend.app.engine.spec.codec import description_to_bytes
    from backend.app.engine.spec.limits import DocumentLimits
    from backend.app.engine.spec.model import SpecError
    from backend.app.engine.spec.normalise import describe
    from backend.app.engine.spec.parse import parse_document

    gc.disable()  # a tree of a million values has no cycles, and looking for them takes a third of the time
    limits = DocumentLimits(**order["limits"])
    try:
        answer = (
            b'{"description":'
            + description_to_bytes(describe(parse_document(sys.stdin.buffer.read(), limits), limits))
            + b"}"
        )
    except SpecError as error:
        answer = _refusal(error.code, error.message, error.where)
    except MemoryError:
        answer = _refusal("spec.too_much_memory", f"reading took more than {order['memory'] >> 20} MB", "")
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def _refusal(code: str, message: str, where: str) -> bytes:
    return json.dumps({"code": code, "message": message, "where": where}).encode()


if __name__ == "__main__":
    main()
