"""An API description document to the model, whatever its dialect."""

import re
from collections.abc import Sequence

from backend.app.engine.spec.document import Document
from backend.app.engine.spec.graphql import GraphQlReader, introspected
from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits
from backend.app.engine.spec.model import ApiDescription, Fault, Json, SpecError
from backend.app.engine.spec.openapi import OpenApi30Reader, OpenApi31Reader, OpenApi32Reader
from backend.app.engine.spec.reader import Reader
from backend.app.engine.spec.references import Load, References
from backend.app.engine.spec.swagger import SwaggerReader


def describe(
    document: dict[str, Json],
    limits: DocumentLimits = DEFAULT_LIMITS,
    *,
    where: str = "",
    load: Load | None = None,
    outlined: bool = False,
    faults: Sequence[Fault] = (),
) -> ApiDescription:
    """Reads OpenAPI 3.0, 3.1 and 3.2, Swagger 2.0, and what a GraphQL server tells by introspection. What is broken in
    parts is left out and listed in `faults`.

    `document` comes from `parse_document`, whose limit on depth bounds the recursion here; `outlined` says that it is
    an outline, `faults` what was wrong with its text. Other documents that it refers to are asked of `load` by their
    URIs, which are relative to `where`, the URI of this one; without `load`, and where it does not hand one out, the
    reference is a fault. Raises `SpecError`: `spec.not_a_spec`, `spec.unknown_version`, `spec.too_many_operations`,
    `spec.too_many_nodes`.
    """
    told = introspected(document) if document.keys().isdisjoint(("openapi", "swagger")) else None
    if told is not None:
        state = Document(document, limits, faults=faults)
        return GraphQlReader(state, told, where).describe()
    reader, doubt = _reader(document)
    references = References(document, limits, where, load, identified=reader.modern_schemas)
    state = Document(document, limits, references, outlined=outlined, faults=faults)
    if outlined:
        state.fault(
            "", "only the list of operations is read of a description this large, not what they take and answer"
        )
    if doubt:
        state.fault("/openapi", doubt)
    return reader(state).describe()


def _reader(root: dict[str, Json]) -> tuple[type[Reader], str]:
    """Who reads it, and what is doubtful about that."""
    for key in ("openapi", "swagger"):
        if key not in root:
            continue
        version = str(root[key])
        if re.match(r"2(\.|$)", version):
            return SwaggerReader, ""
        if re.match(r"3($|\.0)", version):
            return OpenApi30Reader, ""
        if re.match(r"3\.1(\.|-|$)", version):
            return OpenApi31Reader, ""
        if version.startswith("3."):
            known = re.match(r"3\.2(\.|-|$)", version)
            return OpenApi32Reader, "" if known else f"OpenAPI {version[:20]} is read as 3.2"
        raise SpecError(
            "spec.unknown_version", f"version {version[:40]!r} is not read; 2.0, 3.0, 3.1 and 3.2 are", f"/{key}"
        )
    raise SpecError("spec.not_a_spec", "neither OpenAPI nor Swagger: there is no member 'openapi' or 'swagger'")
