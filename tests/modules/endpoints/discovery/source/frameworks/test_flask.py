from tests.modules.endpoints.discovery.source.trees import paths, routes


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
