from tests.modules.endpoints.discovery.source.trees import paths, report, routes

SETTINGS = {"site/settings.py": 'ROOT_URLCONF = "site.urls"\nLANGUAGE_CODE = "de"\n', "site/__init__.py": ""}


def test_urlconfs_are_followed_from_the_root() -> None:
    found = routes(
        {
            **SETTINGS,
            "site/urls.py": """
                from django.conf.urls.i18n import i18n_patterns
                from django.contrib import admin
                from django.urls import include, path, re_path
                from blog import views
                blog_patterns = [path("<slug:slug>/", views.post), path("", views.Posts.as_view())]
                urlpatterns = [
                    path("admin/", admin.site.urls),
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
                urlpatterns = [path("accounts/", include("allauth.urls"))]
            """,
        }
    )
    assert found.routes == ()
    assert [(fault.file, fault.line) for fault in found.faults] == [("site/urls.py", 3)]
    assert "allauth.urls" in found.faults[0].message


def test_a_urlconf_that_nothing_includes_is_marked() -> None:
    found = routes({"lib/urls.py": 'from django.urls import path\nurlpatterns = [path("x/", print)]\n'})
    assert [(route.key, bool(route.unresolved)) for route in found] == [("* /x/", True)]
