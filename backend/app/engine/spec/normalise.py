"""An API description document to the model, whatever its dialect."""

from backend.app.engine.spec.document import Document
from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits
from backend.app.engine.spec.model import ApiDescription, Json, SpecError
from backend.app.engine.spec.openapi import OpenApi30Reader, OpenApi31Reader
from backend.app.engine.spec.reader import Reader
from backend.app.engine.spec.swagger import SwaggerReader


def describe(document: dict[str, Json], limits: DocumentLimits = DEFAULT_LIMITS) -> ApiDescription:
    """Reads OpenAPI 3.0 and 3.1 and Swagger 2.0. What is broken in parts is left out and listed in `faults`.

    `document` comes from `parse_document`, whose limit on depth bounds the recursion here. Nothing is fetched: an
    external reference is a fault. Raises `SpecError`: `spec.not_a_spec`, `spec.unknown_version`,
    `spec.too_many_operations`, `spec.too_many_nodes`.
    """
    state = Document(document, limits)
    return _reader(state)(state).describe()


def _reader(state: Document) -> type[Reader]:
    for key in ("openapi", "swagger"):
        if key not in state.root:
            continue
        version = str(state.root[key])
        if version == "2" or version.startswith("2."):
            return SwaggerReader
        if version == "3" or version.startswith("3.0"):
            return OpenApi30Reader
        if version.startswith("3."):
            if not version.startswith("3.1"):
                state.fault("/openapi", f"OpenAPI {version[:20]} is read as 3.1")
            return OpenApi31Reader
        raise SpecError(
            "spec.unknown_version", f"version {version[:40]!r} is not read; 2.0, 3.0 and 3.1 are", f"/{key}"
        )
    raise SpecError("spec.not_a_spec", "neither OpenAPI nor Swagger: there is no member 'openapi' or 'swagger'")
