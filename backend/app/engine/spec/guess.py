"""Where an API usually publishes its description, and what the pages there say about where it stands."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from itertools import islice
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson

from backend.app.engine.http import Answer

PLACES: Final = (
    "openapi.json",  # FastAPI, connexion 3, APIFlask, Robyn, BlackSheep, LoopBack 4, huma
    "swagger.json",  # flask-restx, connexion 2, hapi-swagger, tsoa, go-swagger, Dropwizard
    "v3/api-docs",  # springdoc
    "swagger/v1/swagger.json",  # Swashbuckle, NSwag
    "api/openapi.json",  # django-ninja
    "openapi.yaml",  # LoopBack 4, huma, Jersey
    "openapi/v1.json",  # ASP.NET Core from 9 on
    "v2/api-docs",  # springfox
    "api/schema/",  # drf-spectacular
    "api-docs",  # swagger-ui-express
    "api-json",  # NestJS
    "swagger/doc.json",  # swaggo
    "openapi",  # Open Liberty, Helidon, Payara, ServiceStack
    "q/openapi",  # Quarkus
    "documentation/json",  # @fastify/swagger-ui
    "swagger/",  # drf-yasg, a page
    "docs",  # FastAPI, NestJS, a page
    ".well-known/api-catalog",  # RFC 9727
    "swagger.yaml",  # connexion 2
    "docs.json",  # API Platform
    "schema/openapi.json",  # Litestar
    "docs/openapi.json",  # sanic-ext
    "api-docs/openapi.json",  # utoipa
    "api/openapi",  # open_api_spex
    "apispec_1.json",  # flasgger
    "apidocs/",  # flasgger, a page
    "api-docs.json",
    "docs-json",  # NestJS
    "api-docs/swagger-ui-init.js",  # swagger-ui-express, the description inside of it
    "swagger-resources",  # springfox, a list of descriptions
    "v3/api-docs/swagger-config",  # springdoc, a list of descriptions
    "swagger-ui.html",  # springdoc and springfox, a page
    "swagger-ui",  # Micronaut, a page: its description is called after the application
    "doc",  # zod-openapi of Hono
    "api/documentation",  # l5-swagger, a page
    "docs?api-docs.json",  # l5-swagger
    "docs/api.json",  # Scramble
    "documentation",  # Strapi, a page
    "swagger/docs/v1",  # Swashbuckle before ASP.NET Core
    "openapi/v2",  # Kubernetes
    "openapi/v3",  # Kubernetes, a list of descriptions
    "openapi-3.0.json",  # huma
    "api-docs/v1/swagger.yaml",  # rswag
    "swagger_doc.json",  # grape-swagger
    "api/doc.json",  # NelmioApiDoc
    "api/docs.jsonopenapi",  # API Platform
    "api/docs/swagger.json",  # aiohttp-apispec
    "api/swagger/json",
    "explorer/swagger.json",  # LoopBack 3
    "server/specs/oas",  # Directus
    "rest/v1/",  # Supabase
    "rest/all/schema?services=all",  # Magento
    "openapi/jsonapi?_format=json",  # Drupal
    "v3/api-docs.yaml",
    "schema/openapi.yaml",  # Litestar
    "documentation/yaml",  # @fastify/swagger-ui
    "api-yaml",  # NestJS
    "spec.json",
    "apis.json",  # APIs.json, a list of descriptions
    "wp-json/",  # WordPress
    "graphql",
    "api/graphql",
    "v1/graphql",  # Hasura
    "query",  # gqlgen
    "actuator/mappings",  # Spring Boot
    "rails/info/routes",  # Rails in development
    "springwolf/docs",
    "asyncapi.json",
    "$metadata",  # OData
    "?wsdl",
    "swagger/api-1.0.yml",  # Micronaut: `<name>-<version>.yml`
)  # fmt: skip
"""Below a base, the most likely first. The base itself is asked before all of them (PostgREST)."""

_BASES: Final = ("/", "/api/", "/v1/", "/api/v1/")
_FIRST_ELSEWHERE: Final = 1
"""Places below each other base that are tried before the less likely ones below the first."""
_LIKELY: Final = 20


def spec_candidates(base_url: str) -> list[str]:
    """URLs to try, best first: below the path of `base_url`, below its parents, below the usual bases.

    The query and fragment of `base_url` are dropped; a last path segment that is a page (`docs/index.html`) too.
    """
    parts = urlsplit(base_url)
    last = parts.path.rsplit("/", 1)[-1]
    folder = parts.path.removesuffix(last) if "." in last else f"{parts.path.rstrip('/')}/"
    folder = folder or "/"
    segments = folder.split("/")[1:-1]
    parents = ["/" + "".join(f"{each}/" for each in segments[:end]) for end in range(len(segments) - 1, 0, -1)]
    first, *others = dict.fromkeys([folder, "/", *parents, *_BASES])
    ordered: list[tuple[str, str]] = [(first, ""), *((first, place) for place in PLACES[:_LIKELY])]
    ordered += [(each, place) for each in others for place in PLACES[:_FIRST_ELSEWHERE]]
    ordered += [(first, place) for place in PLACES[_LIKELY:]]
    ordered += [(each, place) for each in others for place in ("", *PLACES)]
    found = dict.fromkeys(
        urlunsplit((parts.scheme, parts.netloc, f"{each.rstrip('/') if place[:1] == '?' else each}{place}", "", ""))
        for each, place in ordered
    )
    return [url for url in found if url.rstrip("/") != base_url or parts.path]


@dataclass(frozen=True, slots=True)
class Leads:
    """What an answer that is no description says about where one is."""

    urls: tuple[str, ...] = ()
    """Absolute, the most likely first."""
    documents: tuple[bytes, ...] = ()
    """Those that stand within the answer."""


_MOST_LEADS: Final = 5
_LONGEST_PAGE: Final = 8 << 20
_PAGE_SIGNS: Final = re.compile(r"swagger|redoc|rapi-?doc|scalar|openapi|stoplight|elements-api", re.I)
_NAMED: Final = (
    re.compile(r"""\bspec-?url\s*[:=]\s*["']([^"'\s<>]{1,2000})["']""", re.I),  # ReDoc, RapiDoc
    re.compile(r"""\bapi-?description-?url\s*=\s*["']([^"'\s<>]{1,2000})["']""", re.I),  # Stoplight Elements
    re.compile(r"""\bdata-url\s*=\s*["']([^"'\s<>]{1,2000})["']"""),  # Scalar
    re.compile(r"""Redoc\.init\(\s*["']([^"'\s<>]{1,2000})["']"""),
    re.compile(
        r"""["']?\b(?:configUrl|url|swaggerUrl|spec_url|openapi_url|definitionURL)["']?\s*[:=]\s*["']([^"'\s<>]{1,2000})["']"""
    ),
    re.compile(r"""<link\b[^>]{0,300}\brel=["']?service-desc["']?[^>]{0,300}\bhref=["']?([^"'\s>]{1,2000})""", re.I),
    re.compile(
        r"""<a\b[^>]{0,300}\bhref=["']([^"'\s<>]{0,300}(?:openapi|swagger|api-?docs|spec)[^"'\s<>]{0,300})["']""", re.I
    ),
)  # fmt: skip
_SCRIPT: Final = re.compile(
    r"""<script\b[^>]{0,300}\bsrc=["']?([^"'\s>]{0,300}swagger[^"'\s>]{0,100}init[^"'\s>]{0,100}\.js)""", re.I
)
_EMBEDDED: Final = re.compile(
    r"""["']?\b(?:swaggerDoc|spec|data|content|definition)["']?\s*[:=]\s*(?=\{)"""
    r"""|Redoc\.init\(\s*(?=\{)|<script\b[^>]{0,300}type=["']application/(?:\w{1,20}\+)?json["'][^>]{0,300}>\s*(?=\{)"""
)
_LINK: Final = re.compile(r"<([^<>]*)>((?:\s*;\s*[^;,\"]+(?:\"[^\"]*\")?)*)")
_SERVICE_DESC: Final = re.compile(r"""\brel\s*=\s*"?[^";,]*\bservice-desc\b""", re.I)


def leads_of(answer: Answer, url: str) -> Leads:
    """Of the headers (RFC 8631), a list in JSON (RFC 9727, APIs.json, springfox, springdoc, Kubernetes), or a page of
    Swagger UI, ReDoc, RapiDoc, Scalar or Elements. A page leads nowhere but to its own host: Swagger UI as it is
    installed shows the petstore of somebody else."""
    urls = [match[1] for name, value in answer.headers if name.lower() == "link" for match in _service_desc(value)]
    documents: list[bytes] = []
    elsewhere = True
    body = answer.body if len(answer.body) <= _LONGEST_PAGE else b""
    if body.lstrip()[:1] in (b"{", b"["):
        urls += _listed(body)
    elif body:
        text = body.decode(errors="replace")
        if _PAGE_SIGNS.search(text) is not None:
            elsewhere = bool(urls)
            named = [unescape(match[1]) for pattern in (*_NAMED, _SCRIPT) for match in pattern.finditer(text)]
            urls += [each for each in named if _same_host(urljoin(url, each), url)]
            documents = list(_embedded(text))
    absolute = dict.fromkeys(_joined(url, urls))
    absolute.pop(url, None)
    wanted = [each for each in absolute if elsewhere or _same_host(each, url)]
    return Leads(tuple(wanted[:_MOST_LEADS]), tuple(documents))


def _joined(url: str, references: Iterable[str]) -> Iterator[str]:
    for each in references:
        try:
            found = urljoin(url, each.replace("\\/", "/"))
            scheme = urlsplit(found).scheme
        except ValueError:
            continue
        if scheme in ("http", "https"):
            yield found.partition("#")[0]


def _service_desc(value: str) -> Iterator[re.Match[str]]:
    return (match for match in _LINK.finditer(value) if _SERVICE_DESC.search(match[2]))


def _same_host(one: str, other: str) -> bool:
    try:
        return urlsplit(one).netloc == urlsplit(other).netloc
    except ValueError:
        return False


def _embedded(text: str) -> Iterator[bytes]:
    for match in islice(_EMBEDDED.finditer(text), _MOST_LEADS):
        document = _balanced(text, match.end())
        try:
            value = orjson.loads(document)
        except ValueError:
            continue
        if isinstance(value, dict) and value.keys() & {"openapi", "swagger"}:
            yield document.encode()


def _balanced(text: str, start: int) -> str:
    """The object in JSON that begins there; empty when it does not end."""
    depth = 0
    for match in re.compile(r'"(?:[^"\\]|\\.)*"|[{}]').finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return text[start : match.end()]
    return ""


def _listed(body: bytes) -> list[str]:
    try:
        value = orjson.loads(body)
    except ValueError:
        return []
    found: list[object] = []
    if isinstance(value, list):  # springfox
        found = [each.get("url") or each.get("location") for each in value if isinstance(each, dict)]
    elif isinstance(value, dict):
        for link in _objects(value.get("linkset")):  # RFC 9264, 4.2
            found += [each.get("href") for each in _objects(link.get("service-desc"))]
        for api in _objects(value.get("apis")):
            found += [each.get("url") for each in _objects(api.get("properties")) if _is_description(each.get("type"))]
        if not value.keys() & {"openapi", "swagger", "linkset", "apis"}:
            urls = [each.get("url") for each in _objects(value.get("urls"))]
            paths = value.get("paths")
            groups = list(paths.values()) if isinstance(paths, dict) else []
            kubernetes = [each.get("serverRelativeURL") for each in _objects(groups)]
            found += [*urls, value.get("url"), value.get("configUrl"), *kubernetes]
    return [each for each in found if isinstance(each, str) and each]


def _objects(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_description(kind: object) -> bool:
    return isinstance(kind, str) and kind.lower() in ("openapi", "swagger", "x-openapi", "oas")
