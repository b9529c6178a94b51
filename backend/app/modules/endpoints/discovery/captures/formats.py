"""The formats of captures that are read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.app.core.registry import Registry
from backend.app.modules.endpoints.discovery.captures.model import Item
from backend.app.modules.endpoints.discovery.captures.source import Source


@dataclass(frozen=True, slots=True)
class Format:
    """Registered in `formats` by one file in `readers/`."""

    description: str
    """One sentence for people."""
    recognise: Callable[[Source], bool]
    """Whether the content is of this format; names of files say nothing. Looks at `head`, `top` and `names` only.
    At most one format may recognise a capture."""
    read: Callable[[Source], Iterator[Item]]
    """Every request in the order of the file, and every part that cannot be read. Raises `CaptureError` when all is
    lost. Memory is bounded by `Source.limits`, whatever the bytes."""


formats: Registry[Format] = Registry("capture_format", f"{__package__}.readers")
