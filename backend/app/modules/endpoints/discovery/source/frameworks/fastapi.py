"""FastAPI: path operations of applications and of routers, included under prefixes across files."""

from collections.abc import Iterator

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.frameworks.starlette import asgi_routes
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.model import Route


def _link(code: Code) -> Iterator[Route]:
    return asgi_routes(code, "fastapi")


frameworks.register("fastapi")(
    Framework(
        description="FastAPI: applications and routers with their path operations, included and mounted across files.",
        language="python",
        gate=(
            r"\bFastAPI\(|\bAPIRouter\b|\binclude_router\(|\.add_api_route\("
            r"|^\s*@[\w.]+\.(get|post|put|patch|delete|head|options|trace|api_route)\("
            r"|^\s*_?(app|application|api|server|\w+_app)\s*(:[^=\n]*)?=\s*(await\s+)?[\w.]+\("
        ),
        link=_link,
    )
)
