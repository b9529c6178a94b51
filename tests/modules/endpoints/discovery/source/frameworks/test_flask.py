import pytest

from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source_code import describe
from tests.modules.endpoints.discovery.source.trees import paths, report, routes


def test_blueprints_of_a_factory_and_of_each_other() -> None:
    assert paths(
        {
            "shop/__init__.py": """
                from flask import Flask
                def create_app(config=None):
                    app = Flask(__name__)
                    from shop.views import bp, nested
                    bp.register_blueprint(nested)
                    app.register_blueprint(bp, url_prefix="/shop")
                    register_errors(app)
                    return app
                def register_errors(app):
                    @app.route("/teapot", methods=("GET", "POST"))
                    def teapot(): ...
            """,
            "shop/views/__init__.py": """
                from flask import Blueprint
                bp = Blueprint("shop", __name__, url_prefix="/replaced")
                nested = Blueprint("nested", __name__, url_prefix="/nested")
                from shop.views import items
            """,
            "shop/views/items.py": """
                from . import bp, nested
                @bp.route("/items/<int:item_id>/")
                @bp.route("/things/<item_id>")
                def item(item_id): ...
                @nested.post("/<path:rest>")
                def rest(rest): ...
            """,
            "wsgi.py": "from shop import create_app\napp = create_app()\n",
        }
    ) == {
        "GET /teapot",
        "POST /teapot",
        "GET /shop/items/{item_id}/",
        "GET /shop/things/{item_id}",
        "POST /shop/nested/{rest}",
    }


def test_views_that_are_classes() -> None:
    found = routes(
        {
            "app.py": """
                from flask import Flask
                from flask.views import MethodView
                from functools import wraps
                def login_required(f): return f
                class Item(MethodView):
                    decorators = [login_required]
                    def get(self, id): ...
                    def put(self, id): ...
                app = Flask(__name__)
                app.add_url_rule("/items/<id>", view_func=Item.as_view("item"))
                app.add_url_rule("/only/<id>", view_func=Item.as_view("only"), methods=["GET"])
            """
        }
    )
    assert {route.key for route in found} == {"GET /items/{id}", "PUT /items/{id}", "GET /only/{id}"}
    assert all(route.requires_auth for route in found)


def test_flask_restful_and_restx() -> None:
    assert paths(
        {
            "app.py": """
                from flask import Blueprint, Flask
                from flask_restful import Api, Resource
                from things import api as things
                class Users(Resource):
                    def get(self): ...
                    def post(self): ...
                bp = Blueprint("v1", __name__)
                api = Api(bp)
                api.add_resource(Users, "/users", "/people")
                app = Flask(__name__)
                app.register_blueprint(bp, url_prefix="/v1")
                late = Api(prefix="/late")
                late.add_resource(Users, "/users")
                late.init_app(app)
                things.init_app(app)
            """,
            "things.py": """
                from flask_restx import Api, Namespace, Resource
                api = Api(doc="/docs")
                ns = Namespace("things")
                api.add_namespace(ns, path="/t")
                @ns.route("/", "/all")
                class Things(Resource):
                    def delete(self): ...
            """,
        }
    ) == {
        "GET /v1/users",
        "POST /v1/users",
        "GET /v1/people",
        "POST /v1/people",
        "GET /late/users",
        "POST /late/users",
        "DELETE /t/",
        "DELETE /t/all",
    }


def test_prefixes_out_of_the_configuration() -> None:
    assert paths(
        {
            "app.py": """
                from flask import Flask
                from views import load
                app = Flask(__name__)
                app.config.from_object("config.Default")
                app.config["LATE"] = "/late"
                @app.route(app.config["LATE"])
                def late(): ...
                for load_views in unknown_plugins():
                    load_views(app)
            """,
            "views.py": """
                from flask import Blueprint
                bp = Blueprint("bp", __name__)
                @bp.get("/x")
                def x(): ...
                def load(app):
                    app.register_blueprint(bp, url_prefix=app.config["PREFIX"])
            """,
            "config.py": "class Base:\n    PREFIX = '/p'\nclass Default(Base): ...\n",
        }
    ) == {"GET /late", "GET /p/x"}


def test_blueprints_that_are_registered_out_of_a_list_that_is_not_known() -> None:
    """Those that nothing else registers are in it."""
    assert paths(
        {
            "app.py": """
                from flask import Flask
                from found import all_blueprints
                app = Flask(__name__)
                for blueprint in all_blueprints():
                    app.register_blueprint(blueprint, url_prefix="/api")
            """,
            "found.py": "def all_blueprints():\n    return magic.find()\n",
            "things.py": """
                from flask import Blueprint
                things = Blueprint("things", __name__)
                @things.route("/things")
                def all_things(): ...
            """,
        }
    ) == {"GET /api/things"}


def test_a_route_stands_where_it_is_declared_and_not_where_a_subclass_adds_it() -> None:
    found = routes(
        {
            "app.py": """
                from flask import Flask
                from base import Prefixed
                app = Flask(__name__)
                bp = Prefixed("bp", __name__)
                bp.add_url_rule("/x", view_func=print)
                app.register_blueprint(bp)
            """,
            "base.py": """
                from flask import Blueprint
                class Prefixed(Blueprint):
                    def __init__(self, *args, **kwargs):
                        self.__prefix = "/pre"
                        super().__init__(*args, **kwargs)
                    def add_url_rule(self, rule, endpoint=None, view_func=None, **options):
                        super().add_url_rule(self.__prefix + rule, endpoint, view_func, **options)
            """,
        }
    )
    assert [(route.key, route.file, route.line) for route in found] == [("GET /pre/x", "app.py", 6)]


def test_views_that_are_wrapped_by_decorators_of_the_tree() -> None:
    assert paths(
        {
            "app.py": """
                from functools import wraps
                from flask import Flask
                from flask.views import MethodView
                def signed_in(function):
                    @wraps(function)
                    def decorated(*args, **kwargs):
                        return function(*args, **kwargs)
                    return decorated
                class Users(MethodView):
                    def post(self): ...
                    def delete(self): ...
                app = Flask(__name__)
                view = Users.as_view("users")
                for decorator in [signed_in, signed_in]:
                    view = decorator(view)
                app.add_url_rule("/users", view_func=view)
            """,
        }
    ) == {"POST /users", "DELETE /users"}


def test_a_branch_that_assigns_stands_before_what_was_there() -> None:
    assert paths(
        {
            "app.py": """
                import os
                from flask import Flask
                app = Flask(__name__)
                for path, name in [("/a", "A"), ("/b", "B")]:
                    if os.environ.get(name):
                        rule = path + "/on"
                    else:
                        rule = path + "/off"
                    app.add_url_rule(rule, view_func=print)
            """,
        }
    ) == {"GET /a/on", "GET /b/on"}


def test_the_effort_does_not_grow_with_the_square_of_the_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    objects = Code.objects

    def counted(code: Code, names: frozenset[str]) -> object:
        nonlocal looked
        looked += 1
        return objects(code, names)

    monkeypatch.setattr(Code, "objects", counted)
    text = "from flask import Flask\napp = Flask(__name__)\n@app.route('/a')\ndef a(): ...\n"
    found = report({f"m{number}.py": text for number in range(50)})
    assert len(found.routes) == 50
    assert looked < 10
    (evidence,) = describe(found, "x").evidence.values()
    assert evidence.places[0] == "m0.py:3"
    assert len(evidence.places) < 50


def test_registrations_that_wait_in_a_list() -> None:
    assert paths(
        {
            "app.py": """
                import functools
                from flask import Blueprint, Flask
                api = Blueprint("api", __name__)
                @api.route("/files")
                def files(): ...
                class Server:
                    def __init__(self):
                        self.app = Flask(__name__)
                        self.set_up()
                    def set_up(self):
                        waiting = [functools.partial(self.app.register_blueprint, api, url_prefix="/api")]
                        for register in waiting:
                            register()
            """
        }
    ) == {"GET /api/files"}


def test_a_framework_that_is_kept_in_the_tree() -> None:
    assert paths(
        {
            "libs/flask_restx/__init__.py": "class Api: ...\nclass Resource: ...\nclass Namespace: ...",
            "app/main.py": """
                from flask import Flask
                from flask_restx import Api, Namespace, Resource
                ns = Namespace("items")
                @ns.route("/<int:id>")
                class Item(Resource):
                    def get(self, id): ...
                app = Flask(__name__)
                api = Api(app)
                api.add_namespace(ns)
            """,
        }
    ) == {"GET /items/{id}"}


def test_methods_of_views_of_flask_classful() -> None:
    found = routes(
        {
            "base.py": """
                from flask_classful import FlaskView, route
                class Removing(FlaskView):
                    @route("", methods=["DELETE"])
                    def remove_all(self): ...
                    def before_request(self, name): ...
                    def _helper(self): ...
                    @classmethod
                    def made(cls): ...
            """,
            "views.py": """
                from flask_classful import method, route
                from base import Removing
                class BlogPostsView(Removing):
                    excluded_methods = ["hidden"]
                    def index(self): ...
                    def get(self, id, page=1): ...
                    def post(self): ...
                    def of_author(self, author): ...
                    @method("POST")
                    @method("PUT")
                    def publish(self, id): ...
                    @route("/<id>/tags/", methods=["GET", "POST"])
                    @route("/tags/<id>")
                    def tags(self, id): ...
                    def hidden(self): ...
                class Users(Removing):
                    route_base = "/<org>/people"
                    trailing_slash = False
                    def put(self, org, id: int): ...
                    def sign_up(self, org): ...
            """,
            "app.py": """
                from flask import Blueprint, Flask
                from views import BlogPostsView, Users
                app = Flask(__name__)
                bp = Blueprint("api", __name__)
                BlogPostsView.register(app, route_prefix="/v1/")
                Users.register(bp, method_dashified=True)
                app.register_blueprint(bp, url_prefix="/api")
            """,
        }
    )
    assert not [route for route in found if route.unresolved]
    assert {route.key for route in found} == {
        "DELETE /v1/blog-posts",
        "GET /v1/blog-posts/",
        "GET /v1/blog-posts/{id}/",
        "POST /v1/blog-posts/",
        "GET /v1/blog-posts/of_author/{author}/",
        "POST /v1/blog-posts/publish/{id}/",
        "PUT /v1/blog-posts/publish/{id}/",
        "GET /v1/blog-posts/{id}/tags/",
        "POST /v1/blog-posts/{id}/tags/",
        "GET /v1/blog-posts/tags/{id}",
        "DELETE /api/{org}/people",
        "PUT /api/{org}/people/{id}",
        "GET /api/{org}/people/sign-up",
    }
    (listed,) = [route for route in found if route.key == "GET /v1/blog-posts/"]
    assert (listed.file, listed.handler) == ("views.py", "BlogPostsView.index")
