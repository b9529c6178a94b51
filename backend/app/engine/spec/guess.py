"""Where an API usually publishes its description."""

from urllib.parse import urlsplit, urlunsplit

COMMON_PLACES = (
    "openapi.json",
    "swagger.json",
    "openapi.yaml",
    "swagger.yaml",
    "v3/api-docs",
    "v2/api-docs",
    "swagger/v1/swagger.json",
    "openapi/v1.json",
    "api-docs",
    "api-docs.json",
    "api-json",
    "swagger/doc.json",
    "schema/openapi.json",
    "docs/openapi.json",
    "api/openapi.json",
    "api/schema/",
    "documentation/json",
    "apispec_1.json",
    "q/openapi",
    "openapi",
    "spec.json",
    "api",
)
"""FastAPI, connexion, springdoc, springfox, ASP.NET, swag, Litestar, sanic, django-ninja, drf-spectacular, Fastify,
flasgger, Quarkus, OGC API (OGC 19-072), in the order in which they are tried."""


def spec_candidates(base_url: str) -> list[str]:
    """URLs to try, best first, when `base_url` itself is no description: below its path, then below the root.

    The query and fragment of `base_url` are dropped; a last path segment that is a page (`docs/index.html`) too.
    """
    parts = urlsplit(base_url)
    folder = parts.path if parts.path.endswith("/") else f"{parts.path}/"
    last = parts.path.rsplit("/", 1)[-1]
    if "." in last:
        folder = parts.path.removesuffix(last)
    folders = dict.fromkeys([folder, folder.rstrip("/").rsplit("/", 1)[0] + "/", "/"])
    return list(
        dict.fromkeys(
            urlunsplit((parts.scheme, parts.netloc, f"{each}{place}", "", ""))
            for each in folders
            for place in COMMON_PLACES
        )
    )
