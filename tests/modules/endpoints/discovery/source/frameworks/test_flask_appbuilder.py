from tests.modules.endpoints.discovery.source.trees import paths, routes

BUILDER = """
    from flask_appbuilder import AppBuilder
    appbuilder = AppBuilder()
"""


def below(prefix: str, found: set[str]) -> set[str]:
    return {key for key in found if key.partition(" ")[2].startswith(prefix)}


def test_apis_and_views_that_an_initialiser_adds() -> None:
    found = paths(
        {
            "shop/extensions.py": BUILDER,
            "shop/constants.py": """
                class Methods:
                    LIST = "get_list"
                    CRUD = {"get_list", "get", "delete"}
            """,
            "shop/api.py": """
                from flask_appbuilder import BaseView, ModelRestApi
                from flask_appbuilder.api import BaseApi, expose, protect
                from shop.constants import Methods
                class Common(ModelRestApi):
                    version = "v2"
                class ItemApi(Common):
                    resource_name = "item"
                    include_route_methods = Methods.CRUD | {"favourite"}
                    @expose("/<pk>/favourite", methods=("PUT",))
                    @protect()
                    def favourite(self, pk): ...
                    @expose("/hidden", methods=["POST"])
                    def hidden(self): ...
                    def get(self, pk): ...
                class Ping(BaseApi):
                    @expose("/now")
                    def now(self): ...
                class Reports(BaseView):
                    route_base = "/"
                    @expose("/reports/<int:id>", methods=["GET", "POST"])
                    def show(self, id): ...
            """,
            "shop/app.py": """
                from flask import Flask
                class Initialiser:
                    def __init__(self, app): self.app = app
                    def configure(self):
                        from shop.extensions import appbuilder
                        from shop.api import ItemApi, Ping, Reports
                        appbuilder.add_api(ItemApi)
                        appbuilder.add_api(Ping)
                        appbuilder.add_view_no_menu(Reports())
                def create_app():
                    app = Flask(__name__)
                    Initialiser(app).configure()
                    return app
            """,
        }
    )
    assert below("/api/v2/", found) == {
        "GET /api/v2/item/",
        "DELETE /api/v2/item/{pk}",
        "PUT /api/v2/item/{pk}/favourite",
    }
    assert below("/api/v1/ping", found) == {"GET /api/v1/ping/now"}
    assert below("/reports", found) == {"GET /reports/{id}", "POST /reports/{id}"}


def test_what_a_builder_adds_by_itself_and_by_its_settings() -> None:
    application = """
        from flask import Flask
        from flask_appbuilder import AppBuilder
        app = Flask(__name__)
        app.config.from_object("config")
        appbuilder = AppBuilder(app)
    """
    found = paths({"app.py": application})
    assert {"POST /login/", "POST /api/v1/security/login", "GET /users/list/"} <= found
    assert "DELETE /api/v1/security/users/{pk}" not in found
    assert "DELETE /api/v1/security/users/{pk}" in paths(
        {"app.py": application, "config.py": "FAB_ADD_SECURITY_API = True"}
    )


def test_a_protected_method_asks_for_a_user() -> None:
    found = routes(
        {
            "app.py": BUILDER
            + """
    from flask_appbuilder.api import BaseApi, expose, protect
    class Thing(BaseApi):
        @expose("/open")
        def open(self): ...
        @expose("/shut")
        @protect()
        def shut(self): ...
    appbuilder.add_api(Thing)
            """
        }
    )
    known = {route.path: route.requires_auth for route in found}
    assert known["/api/v1/thing/open"] is None
    assert known["/api/v1/thing/shut"] is True
