"""Paths that APIs and their frameworks have without being asked for, and what tells a framework."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from backend.app.engine.http import Exchange

FOLDERS: Final = ("api", "v1", "v2", "v3", "api/v1", "api/v2", "api/v3", "rest", "internal", "public", "admin/api")
"""Where APIs stand. Those are looked into that answer otherwise than their neighbours."""

_WORDS: Final = {
    "common": """
        health healthz health/live health/ready livez readyz ready live alive ping status heartbeat __heartbeat__
        version __version__ info about build-info metrics stats docs redoc openapi.json swagger.json swagger-ui.html
        api-docs schema graphql graphiql playground admin admin/ dashboard console debug config configuration
        settings env login signin auth token oauth/token oauth2/authorize session sessions me whoami profile account
        user users accounts customers clients members groups roles permissions teams organizations orgs tenants
        projects items products orders carts cart payments invoices subscriptions plans categories tags comments
        posts articles books messages notifications events jobs tasks files uploads images documents reports search
        export webhooks audit logs backup internal private test demo keys api-keys secrets features flags countries
        locations devices sessions/current .well-known/openid-configuration .well-known/jwks.json
        .well-known/security.txt api api/ rest rpc v1 v2 v3 wp-json/
    """,
    "spring": """
        actuator actuator/mappings actuator/health actuator/info actuator/env actuator/beans actuator/metrics
        actuator/prometheus actuator/loggers actuator/configprops actuator/threaddump actuator/scheduledtasks
        actuator/caches actuator/conditions actuator/flyway actuator/liquibase actuator/httpexchanges
        actuator/startup manage/health management/health management/info error h2-console v3/api-docs
        swagger-ui/index.html jolokia trace dump autoconfig
    """,
    "django": """
        admin/login/ api/schema/ api/schema/swagger-ui/ api/schema/redoc/ accounts/login/ api-auth/login/ api/token/
        api/token/refresh/ __debug__/ o/token/ auth/users/ dj-rest-auth/login/ health/ api/users/ swagger/ redoc/
    """,
    "flask": """
        console swagger.json apidocs/ apispec_1.json apispec.json openapi/ static/ login admin/
    """,
    "fastapi": """
        openapi.json docs redoc docs/oauth2-redirect token users/me auth/jwt/login api/v1/openapi.json
    """,
    "express": """
        api-docs api-docs.json api-docs/ status socket.io/ graphql healthcheck favicon.ico
    """,
    "fastify": """
        documentation documentation/json documentation/static/index.html health
    """,
    "rails": """
        rails/info/routes rails/info/properties rails/mailers up sidekiq cable users/sign_in admin
    """,
    "laravel": """
        telescope horizon _ignition/health-check sanctum/csrf-cookie api/user up _debugbar/open
    """,
    "aspnet": """
        swagger swagger/index.html swagger/v1/swagger.json openapi/v1.json scalar/v1 healthchecks-ui hc alive
        hangfire elmah.axd trace.axd connect/token .well-known/openid-configuration odata
    """,
    "go": """
        debug/pprof/ debug/vars debug/requests swagger/index.html swagger/doc.json
    """,
    "phoenix": """
        dashboard dev/dashboard phoenix/live_reload/frame api/openapi
    """,
    "tornado": """
        api/status api metrics
    """,
    "pyramid": """
        __api__ __lbheartbeat__
    """,
    "php": """
        api/doc.json _profiler _wdt wp-json/ wp-json/wp/v2/posts xmlrpc.php
    """,
    "quarkus": """
        q/health q/health/live q/health/ready q/metrics q/openapi q/swagger-ui q/dev
    """,
}
BY_FRAMEWORK: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(words.split()) for name, words in _WORDS.items() if name != "common"
}
COMMON: Final = tuple(_WORDS["common"].split())
"""Below the base and below each folder that APIs stand in."""

_SIGNS: Final = (
    ("spring", re.compile(r"Whitelabel Error|JSESSIONID|\"timestamp\":.*\"path\":|No static resource", re.I)),
    ("django", re.compile(r"csrftoken|resource was not found on this server|Using the URLconf|opener-policy: s", re.I)),
    ("flask", re.compile(r"werkzeug|The requested URL was not found on the server\. If you entered", re.I)),
    ("fastapi", re.compile(r"server: (?:uvicorn|hypercorn)|\{\"detail\":\"Not Found\"\}", re.I)),
    ("express", re.compile(r"x-powered-by: express|connect\.sid|Cannot GET /", re.I)),
    ("fastify", re.compile(r"Route GET:/\S* not found", re.I)),
    ("rails", re.compile(r"x-runtime: |server: (?:puma|webrick|phusion)|No route matches|page you were looking", re.I)),
    ("laravel", re.compile(r"laravel_session|xsrf-token", re.I)),
    ("aspnet", re.compile(r"server: kestrel|x-aspnet|asp\.net|tools\.ietf\.org/html/rfc9110#section-15\.5\.5", re.I)),
    ("go", re.compile(r"\b404 page not found\b", re.I)),
    ("phoenix", re.compile(r"server: cowboy|phoenix\.router", re.I)),
    ("tornado", re.compile(r"server: tornado", re.I)),
    ("pyramid", re.compile(r"server: waitress|\"errno\": ?111", re.I)),
    ("php", re.compile(r"x-powered-by: php|phpsessid|x-debug-token", re.I)),
    ("quarkus", re.compile(r"RESTEASY\d+|quarkus", re.I)),
)  # fmt: skip
_LOOKED_AT: Final = 20_000


def detect(exchanges: Iterable[Exchange]) -> list[str]:
    """Frameworks by headers, cookies and error pages; several where the signs do not agree."""
    text = "\n".join(
        "\n".join([*(f"{name}: {value}" for name, value in each.answer.headers), _start(each.answer.body)])
        for each in exchanges
        if each.answer is not None
    )
    return [name for name, sign in _SIGNS if sign.search(text) is not None]


def words_for(frameworks: Iterable[str]) -> list[str]:
    """Those of the detected frameworks first; the telling few of each when none was detected."""
    detected = list(frameworks)
    special = [word for name in detected for word in BY_FRAMEWORK[name]]
    if not detected:
        special = [word for words in BY_FRAMEWORK.values() for word in words[:2]]
    return list(dict.fromkeys([*special, *COMMON]))


def _start(body: bytes) -> str:
    return body[:_LOOKED_AT].decode(errors="replace")
