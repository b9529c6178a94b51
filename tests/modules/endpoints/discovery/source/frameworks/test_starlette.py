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


def test_routes_that_are_assigned_later() -> None:
    assert paths(
        {
            "app.py": """
                from starlette.applications import Starlette
                from starlette.routing import Route
                class Admin:
                    def __init__(self, app):
                        self.admin = Starlette()
                        self.admin.router.routes = [Route("/{identity}/list", self.list)]
                        app.mount("/admin", app=self.admin)
                    async def list(self, request): ...
                main = Starlette()
                Admin(main)
            """
        }
    ) == {"GET /admin/{identity}/list"}


def test_an_application_made_of_the_routes_of_a_router() -> None:
    assert paths(
        {
            "app.py": """
                from starlette.applications import Starlette
                from starlette.routing import Router
                class Api(Router):
                    def __init__(self, prefix=""):
                        self.prefix = prefix
                        super().__init__()
                    def post(self, path):
                        def decorate(function):
                            self.add_route(path=self.prefix + path, endpoint=function, methods=["POST"])
                            return function
                        return decorate
                    def include_router(self, router, prefix=""):
                        self.mount(path=self.prefix + prefix, app=router)
                cells = Api()
                @cells.post("/run")
                async def run(request): ...
                def routes(base=""):
                    api = Api(prefix=base)
                    api.include_router(cells, prefix="/api/kernel")
                    return api.routes
                def create():
                    return Starlette(routes=routes())
            """
        }
    ) == {"POST /api/kernel/run"}


def test_an_application_of_a_class_of_its_own() -> None:
    """Made by a function that says little else of routes."""
    middleware = "\n".join(f"    middleware.append(Guard('{number}', settings=SETTINGS))" for number in range(40))
    assert paths(
        {
            "core/app.py": f"""
from starlette.applications import Starlette
from core.routes import listed
class ShopApp(Starlette):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.queue = None
def make():
    middleware = []
{middleware}
    return ShopApp(routes=listed, middleware=middleware)
""",
            "core/routes.py": """
                from starlette.endpoints import HTTPEndpoint
                from starlette.routing import Mount, Route
                class Items(HTTPEndpoint):
                    async def get(self, request): ...
                items = [Route("/items", Items)]
                listed = [Mount("/api", routes=(items + []))]
            """,
            "asgi.py": "from core.app import make\napp = make()\n",
        }
    ) == {"GET /api/items"}
