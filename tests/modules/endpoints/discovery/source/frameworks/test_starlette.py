from tests.modules.endpoints.discovery.source.trees import paths


def test_routes_mounts_and_endpoints() -> None:
    assert paths(
        {
            "app.py": """
                from starlette.applications import Starlette
                from starlette.endpoints import HTTPEndpoint
                from starlette.routing import Mount, Route, Router, WebSocketRoute
                from starlette.staticfiles import StaticFiles
                async def home(request): ...
                class User(HTTPEndpoint):
                    async def get(self, request): ...
                    async def delete(self, request): ...
                users = [Route("/", home, methods=["GET", "POST"]), Route("/{name:str}", User)]
                api = Router(routes=[Route("/ping", endpoint=home)])
                routes = [
                    Route("/", home),
                    Mount("/users", routes=users),
                    Mount("/api", app=api),
                    Mount("/static", StaticFiles(directory="static")),
                    WebSocketRoute("/ws", home),
                ]
                app = Starlette(debug=True, routes=routes)
                app.add_route("/late", home, methods=["PUT"])
                @app.route("/old")
                async def old(request): ...
            """
        }
    ) == {
        "GET /",
        "GET /users/",
        "POST /users/",
        "GET /users/{name}",
        "DELETE /users/{name}",
        "GET /api/ping",
        "PUT /late",
        "GET /old",
    }
