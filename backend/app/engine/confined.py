"""For a process that was started to read a hostile document: it confines itself, tells how far it is, and answers.

Run by `extensions.sandbox`. The one argument is a JSON object: `memory` (bytes of address space), `cpu` (seconds),
`written` (bytes of a file that it may write; 0 for none), and what the reader wants to know.
"""

import json
import resource
import sys
import time
from typing import Any

_TELL_EVERY_S = 0.2
_LONGEST_QUESTION = 8_000


def confine() -> dict[str, Any]:
    """Sets the limits, and gives the order. The modules that read anything are imported after this."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    for limit, value in (
        (resource.RLIMIT_CPU, order["cpu"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, order.get("written", 0)),
        (resource.RLIMIT_AS, order["memory"]),
    ):
        resource.setrlimit(limit, (value, value))
    return order


def answer(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def ask(question: str) -> bytes | str:
    """What the process that started this one has to say; a text is why it has nothing. It takes the standard input,
    from which the reader has read no more than what it was given at first."""
    line = json.dumps(question)
    if len(line) > _LONGEST_QUESTION:
        return f"more than {_LONGEST_QUESTION} characters are not asked for"
    sys.stderr.write(f"? {line}\n")
    sys.stderr.flush()
    kind, size = sys.stdin.buffer.readline().split()
    content = sys.stdin.buffer.read(int(size))
    return content if kind == b"+" else content.decode()


def refusal(code: str, message: str, where: str = "") -> bytes:
    return json.dumps({"code": code, "message": message, "where": where}).encode()


class Telling:
    """A progress function: a line `done total` on the standard error, now and then."""

    def __init__(self) -> None:
        self._told_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            sys.stderr.write(f"{done} {total}\n")
            sys.stderr.flush()
