from tests.modules.endpoints.discovery.source.trees import paths, report, routes

SETTINGS = {"site/settings.py": 'ROOT_URLCONF = "site.urls"\nLANGUAGE_CODE = "de"\n', "site/__init__.py": ""}


def test_urlconfs_are_followed_from_the_root() -> None:
    found = routes(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.conf.urls.i18n import i18n_patterns
                from django.urls import include, path, re_path
                from blog import views
                blog_patterns = [path("<slug:slug>/", views.post), path("", views.Posts.as_view())]
                urlpatterns = [
                    path("blog/", include((blog_patterns, "blog"), namespace="blog")),
                    re_path(r"^archive/(?P<year>[0-9]{4})/(?:page-(\\\\d+)/)?$", views.archive),
                    path("api/", include("blog.urls")),
                ]
                urlpatterns += i18n_patterns(path("about/", views.about))
            """,
            "blog/__init__.py": "",
            "blog/urls.py": """
                from django.contrib.auth.decorators import login_required
                from django.urls import path
                from . import views
                urlpatterns = [path("edit/<int:pk>", login_required(views.Edit.as_view()))]
            """,
            "blog/views.py": """
                from django.views.decorators.http import require_http_methods
                from django.views.generic import ListView, UpdateView
                def post(request, slug): ...
                @require_http_methods(["GET", "POST"])
                def archive(request, year): ...
                def about(request): ...
                class Posts(ListView): ...
                class Edit(UpdateView):
                    http_method_names = ["get", "post"]
            """,
        }
    )
    assert {route.key for route in found} == {
        "* /blog/{slug}/",
        "GET /blog/",
        "GET /archive/{year}/page-{var}/",
        "POST /archive/{year}/page-{var}/",
        "GET /api/edit/{pk}",
        "POST /api/edit/{pk}",
        "* /de/about/",
    }
    assert {route.path for route in found if route.requires_auth} == {"/api/edit/{pk}"}
    assert not any(route.unresolved for route in found)


def test_routers_and_viewsets() -> None:
    assert paths(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.urls import include, path
                from rest_framework import routers
                from rest_framework_nested.routers import NestedSimpleRouter
                from api import Notes, Users
                router = routers.DefaultRouter()
                router.register(r"users", Users)
                notes = NestedSimpleRouter(router, "users", lookup="user")
                notes.register("notes", Notes)
                urlpatterns = [
                    path("api/", include(router.urls)),
                    path("api/", include(notes.urls)),
                    path("me", Users.as_view({"get": "me"})),
                ]
            """,
            "api.py": """
                from rest_framework import mixins, viewsets
                from rest_framework.decorators import action
                class Users(viewsets.ModelViewSet):
                    lookup_field = "name"
                    http_method_names = ["get", "post", "head"]
                    @action(detail=True, methods=["post"], url_path="change-password")
                    def change_password(self, request, name): ...
                    @action(detail=False)
                    def me(self, request): ...
                    @me.mapping.delete
                    def leave(self, request): ...
                    @me.mapping.post
                    def join(self, request): ...
                class Notes(mixins.ListModelMixin, viewsets.GenericViewSet):
                    def destroy(self, request, pk): ...
            """,
        }
    ) == {
        "GET /api/",
        "GET /api/users/",
        "POST /api/users/",
        "GET /api/users/{name}/",
        "POST /api/users/{name}/change-password/",
        "GET /api/users/me/",
        "POST /api/users/me/",
        "GET /api/users/{user_name}/notes/",
        "DELETE /api/users/{user_name}/notes/{pk}/",
        "GET /me",
    }


def test_what_stands_in_no_file_of_the_tree_is_told() -> None:
    found = report(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.urls import include, path
                urlpatterns = [path("shop/", include("shop_of_others.urls"))]
            """,
        }
    )
    assert found.routes == ()
    assert [(fault.file, fault.line) for fault in found.faults] == [("site/urls.py", 3)]
    assert "shop_of_others.urls" in found.faults[0].message


def test_well_known_packages_are_listed_as_they_are_installed() -> None:
    found = paths(
        {
            "site/__init__.py": "",
            "site/settings.py": """
                ROOT_URLCONF = "site.urls"
                INSTALLED_APPS = ["allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.github"]
            """,
            "site/urls.py": """
                from django.urls import include, path
                urlpatterns = [
                    path("accounts/", include("allauth.urls")),
                    path("api/auth/", include("dj_rest_auth.urls")),
                ]
            """,
        }
    )
    assert {"GET /accounts/login/", "* /accounts/github/login/callback/", "GET /accounts/3rdparty/"} <= found
    assert {"POST /api/auth/login/", "PATCH /api/auth/user/"} <= found
    assert not any("2fa" in path for path in found)  # allauth.mfa is not installed


def test_the_admin_site_has_pages_for_the_models_that_are_registered() -> None:
    found = paths(
        {
            "site/__init__.py": "",
            "site/settings.py": """
                ROOT_URLCONF = "site.urls"
                AUTH_USER_MODEL = "people.Person"
                INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "people.apps.PeopleConfig", "blog"]
            """,
            "site/urls.py": """
                from django.contrib import admin
                from django.urls import path
                urlpatterns = [path("admin/", admin.site.urls)]
            """,
            "people/__init__.py": "",
            "people/apps.py": "from django.apps import AppConfig\nclass PeopleConfig(AppConfig): label = 'staff'\n",
            "people/models.py": "from django.db import models\nclass Person(models.Model): ...\n",
            "people/admin.py": """
                from django.contrib import admin
                from django.contrib.auth.admin import UserAdmin
                from django.contrib.auth.models import Group
                from .models import Person
                @admin.register(Person)
                class PersonAdmin(UserAdmin): ...
                admin.site.unregister(Group)
            """,
            "blog/__init__.py": "",
            "blog/models.py": "from django.db import models\nclass Post(models.Model): ...\n",
            "blog/admin.py": """
                from django.contrib import admin
                from django.urls import path
                from .models import Post
                class PostAdmin(admin.ModelAdmin):
                    def get_urls(self):
                        return [path("publish/", self.admin_site.admin_view(self.publish))] + super().get_urls()
                admin.site.register(Post, PostAdmin)
            """,
        }
    )
    assert {"* /admin/", "* /admin/login/", "* /admin/blog/post/add/", "* /admin/blog/post/publish/"} <= found
    assert {"* /admin/staff/person/{id}/password/", "GET /admin/staff/person/{object_id}/"} <= found
    assert not any("/auth/group/" in path or "/auth/user/" in path for path in found)


def test_an_admin_site_of_the_project_has_pages_of_its_own() -> None:
    found = paths(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.contrib import admin
                from django.contrib.auth.models import Group
                from django.urls import path
                class Site(admin.AdminSite):
                    def get_urls(self):
                        urls = super().get_urls()
                        return [path("tasks/", self.admin_view(tasks))] + urls
                def tasks(request): ...
                site = Site()
                site.register(Group)
                urlpatterns = [path("manage/", site.urls)]
            """,
        }
    )
    assert {"* /manage/tasks/", "* /manage/auth/group/add/", "* /manage/logout/"} <= found


def test_a_router_of_the_project_may_have_routes_of_its_own() -> None:
    assert paths(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.urls import include, path
                from rest_framework.routers import DynamicRoute, Route, SimpleRouter
                from rest_framework.decorators import action
                from rest_framework.viewsets import ReadOnlyModelViewSet
                class Bulk(SimpleRouter):
                    def __init__(self, *args, **kwargs):
                        super().__init__(*args, **kwargs)
                        self.routes[0].mapping.update({"delete": "bulk_destroy", "put": "bulk_update"})
                class Singular(SimpleRouter):
                    routes = [
                        Route(url=r"^{prefix}{trailing_slash}$", mapping={"get": "retrieve"}, name="x", detail=True,
                              initkwargs={}),
                        DynamicRoute(url=r"^{prefix}/do-{url_path}$", name="y", detail=False, initkwargs={}),
                    ]
                class Notes(ReadOnlyModelViewSet):
                    def bulk_destroy(self, request): ...
                    @action(detail=False)
                    def sum(self, request): ...
                bulk, singular = Bulk(), Singular()
                bulk.register("notes", Notes)
                singular.register("note", Notes)
                urlpatterns = [path("", include(bulk.urls)), path("", include(singular.urls))]
            """,
        }
    ) == {
        "GET /notes/",
        "DELETE /notes/",
        "GET /notes/{pk}/",
        "GET /notes/sum/",
        "GET /note/",
        "GET /note/do-sum",
    }


def test_settings_make_prefixes_and_decide_what_is_there() -> None:
    assert paths(
        {
            "site/__init__.py": "",
            "site/settings.py": """
                import os
                ROOT_URLCONF = "site.urls"
                BASE_PATH = os.environ.get("BASE_PATH", "v1/")
                METRICS = os.environ.get("METRICS", "0") == "1"
                FEEDS = True
            """,
            "site/urls.py": """
                from django.conf import settings
                from django.urls import include, path
                inner = [path("x/", print)]
                if settings.METRICS:
                    inner.append(path("metrics/", print))
                if settings.FEEDS:
                    inner.append(path("feeds/", print))
                if settings.DEBUG:
                    inner.append(path("debug/", print))
                urlpatterns = [path(settings.BASE_PATH, include(inner))]
            """,
        }
    ) == {"* /v1/x/", "* /v1/feeds/", "* /v1/debug/"}


def test_views_that_a_decorator_puts_into_a_registry() -> None:
    assert paths(
        {
            **SETTINGS,
            "site/registry.py": """
                from collections import defaultdict
                class Registry(dict): ...
                registry = Registry({"views": defaultdict(dict)})
                def register_view(model, path):
                    def wrap(cls):
                        app, name = model._meta.app_label, model._meta.model_name
                        if name not in registry["views"][app]:
                            registry["views"][app][name] = []
                        registry["views"][app][name].append({"path": path, "view": cls})
                        return cls
                    return wrap
            """,
            "blog/__init__.py": "",
            "blog/models.py": "from django.db import models\nclass Post(models.Model): ...\n",
            "blog/views.py": """
                from django.views.generic import View
                from site.registry import register_view
                from .models import Post
                @register_view(Post, "new")
                class New(View):
                    def post(self, request): ...
                @register_view(Post, "all")
                class All(View):
                    def get(self, request): ...
            """,
            "site/urls.py": """
                from django.urls import include, path
                urlpatterns = [path("posts/", include("blog.urls"))]
            """,
            "blog/urls.py": """
                from django.urls import include, path
                from django.views.generic import View
                from site.registry import registry
                from . import views
                def made(app, name):
                    found = []
                    for entry in registry["views"][app][name]:
                        view = entry["view"]
                        if issubclass(view, View):
                            view = view.as_view()
                        found.append(path(entry["path"], view))
                    return found
                urlpatterns = made("blog", "post")
            """,
        }
    ) == {"POST /posts/new", "GET /posts/all"}


def test_views_that_an_application_registers_for_its_models_when_it_is_ready() -> None:
    assert paths(
        {
            "site/__init__.py": "",
            "site/settings.py": 'ROOT_URLCONF = "site.urls"\nINSTALLED_APPS = ["blog"]\n',
            "site/registry.py": """
                from collections import defaultdict
                from site.features import Shared
                views = defaultdict(list)
                def register_models(*models):
                    for model in models:
                        label, name = model._meta.label_lower.split(".")
                        if issubclass(model, Shared):
                            views[name].append({"path": "share", "view": "site.views.Share"})
                        views[name].append({"path": "", "view": "site.views.Show"})
            """,
            "site/features.py": """
                from django.db import models
                class Shared(models.Model):
                    class Meta:
                        abstract = True
            """,
            "site/views.py": """
                from django.views.generic import View
                class Share(View):
                    def post(self, request): ...
                class Show(View):
                    def get(self, request): ...
            """,
            "blog/__init__.py": "",
            "blog/apps.py": """
                from django.apps import AppConfig
                class BlogConfig(AppConfig):
                    name = "blog"
                    def ready(self):
                        from site.registry import register_models
                        register_models(*self.get_models())
            """,
            "blog/models/__init__.py": "from .models import *\n",
            "blog/models/models.py": """
                from django.db import models
                from site.features import Shared
                class Base(models.Model):
                    class Meta:
                        abstract = True
                class Post(Shared, Base): ...
                class Draft(Base): ...
                class Posts(models.QuerySet): ...
            """,
            "site/urls.py": """
                from django.urls import include, path
                from django.utils.module_loading import import_string
                from site.registry import views
                def made(name):
                    found = []
                    for entry in views[name]:
                        if type(entry["view"]) is str:
                            view = import_string(entry["view"])
                        else:
                            view = entry["view"]
                        found.append(path(entry["path"], view.as_view()))
                    return found
                urlpatterns = [
                    path("posts/", include(made("post"))),
                    path("drafts/", include(made("draft"))),
                    path("bases/", include(made("base"))),
                    path("querysets/", include(made("posts"))),
                ]
            """,
        }
    ) == {"GET /posts/", "POST /posts/share", "GET /drafts/"}


def test_a_urlconf_that_nothing_includes_is_marked() -> None:
    found = routes({"lib/urls.py": 'from django.urls import path\nurlpatterns = [path("x/", print)]\n'})
    assert [(route.key, bool(route.unresolved)) for route in found] == [("* /x/", True)]


def test_patterns_that_another_urlconf_lists_are_no_routes_of_their_own() -> None:
    assert paths(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.urls import include, path
                urlpatterns = [path("api/", include("blog.urls"))]
            """,
            "blog/__init__.py": "",
            "blog/urls/__init__.py": "from .posts import urlpatterns as posts\nurlpatterns = [*posts]\n",
            "blog/urls/posts.py": 'from django.urls import path\nurlpatterns = [path("posts/", print)]\n',
        }
    ) == {"* /api/posts/"}


def test_urlconfs_of_the_installed_applications_that_are_plugins() -> None:
    assert paths(
        {
            "site/settings.py": """
                ROOT_URLCONF = "site.urls"
                INSTALLED_APPS = ["django.contrib.auth", "plugins.pay.apps.PayApp", "plugins.mail", "plugins.silent"]
            """,
            "site/urls.py": """
                import importlib.util
                from django.apps import apps
                from django.urls import include, path
                urlpatterns = []
                for app in apps.get_app_configs():
                    if hasattr(app, "PluginMeta") and importlib.util.find_spec(app.name + ".urls"):
                        module = importlib.import_module(app.name + ".urls")
                        urlpatterns.append(path(f"{app.label}/", include((module.urlpatterns, app.label))))
            """,
            "plugins/pay/__init__.py": "",
            "plugins/pay/apps.py": """
                from django.apps import AppConfig
                class Other(AppConfig): ...
                class PayApp(AppConfig):
                    name = "plugins.pay"
                    label = "payment"
                    class PluginMeta: ...
            """,
            "plugins/pay/urls.py": """
                from django.urls import path
                from django.views.decorators.http import require_POST
                @require_POST
                def webhook(request): ...
                urlpatterns = [path("webhook/", webhook)]
            """,
            "plugins/mail/__init__.py": "",
            "plugins/mail/apps.py": """
                from django.apps import AppConfig
                class MailApp(AppConfig):
                    PluginMeta = True
            """,
            "plugins/mail/urls.py": """
                from django.urls import path
                from django.views.generic import ListView
                urlpatterns = [path("", ListView.as_view())]
            """,
            "plugins/silent/__init__.py": "",
            "plugins/silent/apps.py": """
                from django.apps import AppConfig
                class SilentApp(AppConfig):
                    class PluginMeta: ...
            """,
        }
    ) == {"POST /payment/webhook/", "GET /mail/"}


DEBUGGED = {
    "shop/settings/base.py": 'ROOT_URLCONF = "shop.urls"\nDEBUG = True\n',
    "shop/settings/production.py": "from shop.settings.base import *\nDEBUG = False\n",
    "shop/urls.py": """
        from django.conf import settings
        from django.urls import path
        from django.views.generic import ListView
        urlpatterns = [path("items/", ListView.as_view())]
        if settings.DEBUG:
            urlpatterns += [path("debug/", ListView.as_view())]
    """,
}


def test_urls_for_debugging_are_those_of_the_settings_that_the_programs_take() -> None:
    program = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.{}")\n'
    assert paths({**DEBUGGED, "shop/wsgi.py": program.format("production")}) == {"GET /items/"}
    assert paths({**DEBUGGED, "manage.py": program.format("base")}) == {"GET /items/", "GET /debug/"}
    assert paths(DEBUGGED) == {"GET /items/", "GET /debug/"}


def test_an_application_that_the_environment_may_take_away() -> None:
    assert paths(
        {
            "shop/settings.py": """
                import os
                ROOT_URLCONF = "shop.urls"
                INSTALLED_APPS = []
                if os.environ.get("WITHOUT_BUGS") is None:
                    INSTALLED_APPS.append("bugs")
            """,
            "shop/urls.py": """
                from django.conf import settings
                from django.urls import path
                from django.views.generic import ListView
                urlpatterns = []
                if "bugs" in settings.INSTALLED_APPS:
                    urlpatterns.append(path("bugs/", ListView.as_view()))
            """,
        }
    ) == {"GET /bugs/"}


def test_classes_of_characters_in_patterns() -> None:
    assert paths(
        {
            "shop/settings.py": 'ROOT_URLCONF = "shop.urls"',
            "shop/urls.py": r"""
                from django.urls import re_path
                from django.views.generic import ListView
                urlpatterns = [
                    re_path(r"^(?P<pk>\d+)/(?:[-\w\d]*)$", ListView.as_view()),
                    re_path(r"^feed[.]xml$", ListView.as_view()),
                    re_path(r"^in/[]a-z\]]+/$", ListView.as_view()),
                ]
            """,
        }
    ) == {"GET /{pk}/", "GET /feed.xml", "GET /in/{var}/"}


def test_class_based_views_that_guard_themselves() -> None:
    found = routes(
        {
            "shop/settings.py": 'ROOT_URLCONF = "shop.urls"',
            "shop/guards.py": """
                def permission_required(permission):
                    def decorator(function):
                        def wrapper(request, *args, **kw):
                            return function(request, *args, **kw)
                        return wrapper
                    return decorator
                class Guarded:
                    permission = None
                    @classmethod
                    def as_view(cls, **initkwargs):
                        view = super(Guarded, cls).as_view(**initkwargs)
                        return permission_required(cls.permission)(view)
            """,
            "shop/urls.py": """
                from django.urls import path
                from django.views.generic import View
                from shop.guards import Guarded
                class Item(Guarded, View):
                    permission = "items"
                    def get(self, request): ...
                    def delete(self, request): ...
                urlpatterns = [path("item/", Item.as_view())]
            """,
        }
    )
    assert {(route.key, route.handler) for route in found} == {("GET /item/", "Item"), ("DELETE /item/", "Item")}
