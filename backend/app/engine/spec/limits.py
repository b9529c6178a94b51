"""How large a document may be. The same figures stand in the published limits of the product."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    bytes: int = 10 * 1024 * 1024
    depth: int = 200
    nodes: int = 500_000
    """Values in the document after the expansion of YAML aliases."""
    aliases: int = 1_000
    digits: int = 1_000
    """Characters of one number."""
    operations: int = 10_000
    expanded_nodes: int = 1_000_000
    """Values in the description after shared parameters, responses and path items were copied to each operation."""


DEFAULT_LIMITS = DocumentLimits()
