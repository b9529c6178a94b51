from tests.modules.endpoints.discovery.source.trees import paths, report, routes


def test_prefixes_of_routers_in_other_files_are_joined() -> None:
    found = routes(
        {
            "app/main.py": """
                from fastapi import FastAPI
                from app.api import api_router
                from app.core.config import settings
                app = FastAPI(openapi_url=f"{settings.API_V1_STR}/openapi.json")
                app.include_router(api_router, prefix=settings.API_V1_STR)
            """,
            "app/core/config.py": """
                from pydantic_settings import BaseSettings
                class Settings(BaseSettings):
                    API_V1_STR: str = "/api/v1"
                settings = Settings()
            """,
            "app/api/__init__.py": "from .main import api_router as api_router",
            "app/api/main.py": """
                from fastapi import APIRouter
                from app.api.routes import items, users
                api_router = APIRouter()
                for module, prefix in ((items, "/items"), (users, "/users")):
                    api_router.include_router(module.router, prefix=prefix, tags=["all"])
            """,
            "app/api/routes/__init__.py": "",
            "app/api/routes/items.py": """
                from fastapi import APIRouter
                router = APIRouter()
                @router.get("/{item_id:int}")
                def read_item(item_id: int): ...
                @router.api_route("/", methods=["PUT", "PATCH"])
                def write_item(): ...
            """,
            "app/api/routes/users.py": """
                from fastapi import APIRouter
                router = APIRouter(prefix="/v" + str(2), deprecated=True)
                router.add_api_route("/me", lambda: None, methods=["DELETE"])
            """,
        }
    )
    assert {(route.key, route.file, route.line) for route in found} == {
        ("GET /api/v1/items/{item_id}", "app/api/routes/items.py", 4),
        ("PUT /api/v1/items/", "app/api/routes/items.py", 6),
        ("PATCH /api/v1/items/", "app/api/routes/items.py", 6),
        ("DELETE /api/v1/users/v2/me", "app/api/routes/users.py", 4),
    }
    by_key = {route.key: route for route in found}
    assert by_key["DELETE /api/v1/users/v2/me"].deprecated
    assert by_key["GET /api/v1/items/{item_id}"].handler == "read_item"
    assert by_key["GET /api/v1/items/{item_id}"].tags == ("all",)
    assert [parameter.name for parameter in by_key["GET /api/v1/items/{item_id}"].parameters] == ["item_id"]


def test_an_application_that_a_factory_or_a_class_makes() -> None:
    assert paths(
        {
            "service.py": """
                from fastapi import APIRouter, FastAPI
                import uvicorn
                class Server:
                    def __init__(self, prefix: str = "/api"):
                        self.router = APIRouter(prefix=prefix)
                        self.router.add_api_route("/health", self.health, methods=["GET"])
                    def health(self): ...
                def create_app() -> FastAPI:
                    app = FastAPI()
                    _routes(app)
                    app.include_router(Server().router)
                    return app
                def _routes(app):
                    @app.post("/login")
                    async def login(): ...
            """
        }
    ) == {"POST /login", "GET /api/health"}


def test_routers_that_are_found_by_listing_a_package() -> None:
    assert paths(
        {
            "app/main.py": """
                import importlib, pkgutil
                from fastapi import FastAPI
                import app.routers as package
                app = FastAPI()
                for _, name, _ in pkgutil.iter_modules(package.__path__):
                    module = importlib.import_module(f"app.routers.{name}")
                    if hasattr(module, "router"):
                        app.include_router(module.router, prefix=f"/{name}")
            """,
            "app/routers/__init__.py": "",
            "app/routers/cats.py": """
                from fastapi import APIRouter
                router = APIRouter()
                @router.get("")
                def all_cats(): ...
            """,
            "app/routers/helpers.py": "x = 1",
        }
    ) == {"GET /cats"}


def test_a_prefix_that_is_not_known_marks_the_route() -> None:
    found = routes(
        {
            "main.py": """
                import os
                from fastapi import FastAPI, APIRouter
                app, router = FastAPI(), APIRouter(prefix="/users")
                @router.get("/me")
                def me(): ...
                app.include_router(router, prefix=os.environ["ROOT"])
            """,
            "lost.py": """
                from fastapi import APIRouter
                router = APIRouter(prefix="/lost")
                @router.get("/x")
                def lost(): ...
            """,
        }
    )
    assert {route.path: bool(route.unresolved) for route in found} == {
        "/{os.environ_ROOT}/users/me": True,
        "/lost/x": True,
    }


def test_a_default_of_the_environment_is_what_runs_by_default() -> None:
    assert paths(
        {
            "main.py": """
                import os
                from fastapi import FastAPI
                ROOT = os.getenv("ROOT", "/api").rstrip("/")
                app = FastAPI()
                @app.get(ROOT + "/x")
                def x(): ...
            """
        }
    ) == {"GET /api/x"}


def test_mounted_applications_keep_their_path() -> None:
    assert paths(
        {
            "main.py": """
                from fastapi import FastAPI
                from admin import admin
                app = FastAPI()
                app.mount("/admin/", admin)
            """,
            "admin.py": """
                from fastapi import FastAPI
                admin = FastAPI()
                @admin.delete("/cache")
                def clear(): ...
            """,
        }
    ) == {"DELETE /admin/cache"}


def test_a_subclass_of_a_router_with_a_prefix_of_its_own() -> None:
    assert paths(
        {
            "main.py": """
                from fastapi import FastAPI
                from routing import UserRouter
                app = FastAPI()
                router = UserRouter()
                @router.get("/{id}")
                def read(id): ...
                app.include_router(router)
            """,
            "routing.py": """
                from fastapi import APIRouter
                class UserRouter(APIRouter):
                    def __init__(self, **kwargs):
                        super().__init__(prefix="/users", **kwargs)
                    def get(self, path, **kwargs):
                        return super().get(path.rstrip("/"), **kwargs)
            """,
        }
    ) == {"GET /users/{id}"}


def test_dependencies_that_mean_authentication() -> None:
    found = routes(
        {
            "main.py": """
                from typing import Annotated
                from fastapi import APIRouter, Depends, FastAPI
                from fastapi.security import OAuth2PasswordBearer
                bearer = OAuth2PasswordBearer(tokenUrl="token")
                def someone(token: str = Depends(bearer)): ...
                Someone = Annotated[dict, Depends(someone)]
                app = FastAPI()
                @app.get("/a")
                def a(user: Annotated[dict, Depends(someone)]): ...
                @app.get("/b", dependencies=[Depends(someone)])
                def b(): ...
                @app.get("/c")
                def c(q: str = ""): ...
            """
        }
    )
    assert {route.path: route.requires_auth for route in found} == {"/a": True, "/b": True, "/c": None}


def test_clients_tests_and_snippets_are_no_endpoints() -> None:
    found = report(
        {
            "client.py": """
                import requests, httpx
                session = requests.Session()
                session.get("/users"); httpx.post("/login")
                class Api:
                    def get(self, path): return session.get(path)
                api = Api()
                api.get("/things")
            """,
            "tests/test_app.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/t')\ndef t(): ...",
            "docs_src/tutorial.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/d')\ndef d(): ...",
            "README.md": "@app.get('/readme')",
            "notes.py": '''TEXT = """
                app = FastAPI()
                @app.get("/in-a-string")
            """''',
        }
    )
    assert found.routes == ()
    assert found.left_out == {"documentation and examples": 1, "tests": 1}


def test_routers_of_fastapi_users() -> None:
    assert {
        "POST /auth/login",
        "POST /auth/logout",
        "GET /users/me",
        "DELETE /users/{id}",
    } <= paths(
        {
            "app.py": """
                from fastapi import FastAPI
                from fastapi_users import FastAPIUsers
                users = FastAPIUsers[User, int](get_manager, [backend])
                app = FastAPI()
                app.include_router(users.get_auth_router(backend), prefix="/auth")
                app.include_router(users.get_users_router(Read, Update), prefix="/users")
            """,
        }
    )


def test_routes_of_a_loop_over_data_classes_that_passes_some_of_them_over() -> None:
    assert paths(
        {
            "app.py": """
                from dataclasses import dataclass
                from fastapi import FastAPI
                @dataclass
                class Group:
                    paths: list[str]
                    legacy: bool = False
                groups = [Group(["/chat", "/rerank"], True), Group(["/score"])]
                elsewhere = {"/rerank"}
                app = FastAPI()
                for group in groups:
                    for path in group.paths:
                        if path in elsewhere:
                            continue
                        app.add_api_route(path, print, methods=["POST"])
                    if not group.legacy:
                        continue
                    for path in group.paths:
                        app.add_api_route(f"/old{path}", print, methods=["POST"])
            """,
        }
    ) == {"POST /chat", "POST /score", "POST /old/chat", "POST /old/rerank"}


def test_routers_that_a_container_gives() -> None:
    assert paths(
        {
            "core/base.py": """
                from fastapi import APIRouter
                class Base:
                    def __init__(self, services):
                        self.services = services
                        self.router = APIRouter()
                        self._set_up()
                    def get_router(self): return self.router
            """,
            "core/users.py": """
                from core.base import Base
                class Users(Base):
                    def _set_up(self):
                        @self.router.get("/users")
                        def users(): ...
            """,
            "core/app.py": """
                from fastapi import FastAPI
                from core.users import Users
                class Application:
                    def __init__(self, config, users: Users):
                        self.users = users
                        self.app = FastAPI()
                        self.app.include_router(self.users, prefix="/v3")
            """,
        }
    ) == {"GET /v3/users"}


def test_features_that_are_registered_by_what_a_data_class_makes() -> None:
    assert paths(
        {
            "features.py": """
                import importlib
                from dataclasses import dataclass, field
                from typing import TYPE_CHECKING, Callable
                if TYPE_CHECKING:
                    from fastapi import FastAPI
                def include(name="router"):
                    def register(app: "FastAPI", module):
                        app.include_router(getattr(module, name))
                    return register
                @dataclass(frozen=True)
                class Feature:
                    module: str
                    register: Callable = field(default_factory=lambda: include())
                FEATURES = (Feature(module="audit"), Feature(module="mail", register=include("other")))
                def start(features=FEATURES):
                    async def lifespan(app: "FastAPI"):
                        for feature in features:
                            feature.register(app, importlib.import_module(feature.module))
                    return lifespan
            """,
            "audit.py": """
                from fastapi import APIRouter
                PREFIX = "/audit"
                router = APIRouter()
                @router.get(f"{PREFIX}/{{entry}}")
                def read(entry): ...
            """,
            "mail.py": """
                from fastapi import APIRouter
                other = APIRouter()
                @other.post("/mail")
                def send(): ...
            """,
            "main.py": """
                from fastapi import FastAPI
                from features import start
                app = FastAPI(lifespan=start())
            """,
        }
    ) == {"GET /audit/{entry}", "POST /mail"}
