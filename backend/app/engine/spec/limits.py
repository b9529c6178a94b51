"""How large a document may be. The same figures stand in the published limits of the product."""

from dataclasses import dataclass

from backend.app.engine.spec.model import SpecError


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    bytes: int = 40 * 1024 * 1024
    """Microsoft Graph's description has some 37 million."""
    depth: int = 200
    nodes: int = 2_000_000
    """Values in the document after the expansion of YAML aliases."""
    aliases: int = 1_000
    digits: int = 1_000
    """Characters of one number."""
    operations: int = 20_000
    expanded_nodes: int = 2_000_000
    """Values in the description after shared parameters, responses and path items were copied to each operation."""
    patterns: int = 500
    """Different regular expressions; compiling one can take 15 ms."""
    enumerated: int = 20_000
    """Values of one enumeration."""
    faults: int = 1_000
    documents: int = 5_000
    """Together with those that it refers to; `bytes` counts them all."""


DEFAULT_LIMITS = DocumentLimits()


def refuse_too_large(data: bytes, limits: DocumentLimits) -> None:
    """Raises `SpecError` `spec.too_large` with the line on which the limit is passed."""
    if len(data) > limits.bytes:
        line = data.count(b"\n", 0, limits.bytes) + 1
        raise SpecError(
            "spec.too_large", f"the document has {len(data)} bytes; the limit is {limits.bytes}", f"line {line}"
        )
