"""The admin site: its own pages, and those of each model that is registered with it."""

from collections.abc import Iterator

from backend.app.modules.endpoints.discovery.source.frameworks.django.packages import ADMIN_CLASSES, ADMIN_MODELS
from backend.app.modules.endpoints.discovery.source.frameworks.django.settings import Settings
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Class,
    External,
    Function,
    Value,
    name_of,
)

_SITE = "django.contrib.admin.site"
_OF_SITE = (
    ". login/ logout/ password_change/ password_change/done/ autocomplete/ jsi18n/ "
    "r/{content_type_id}/{object_id}/ {app_label}/ {url}"
)
_OF_MODEL = ". add/ {object_id}/history/ {object_id}/delete/ {object_id}/change/"
_TAKEN_AWAY = "unregister"
_REDIRECT = "GET POST PUT PATCH DELETE"
"""`{object_id}/` leads to the page that changes the object."""


class Admin:
    def __init__(self, code: Code, settings: Settings) -> None:
        self.code = code
        self.settings = settings
        self._discovered = False

    def is_site(self, value: Value) -> bool:
        """Whether it is the `site` of `site.urls`."""
        if isinstance(value, External):
            return value.name == _SITE
        return isinstance(value, Call) and any(
            name.startswith("django.contrib.admin.") and name.endswith("AdminSite")
            for name in self.code.external_bases(value)
        )

    def routes(self, site: Value) -> Iterator[tuple[str, str, Value]]:
        """`(method, path, patterns)` below the site; patterns, instead of a method, are those that a class
        adds."""
        self._discover()
        for path in _OF_SITE.split():
            yield "*", "" if path == "." else path, None
        models: dict[tuple[str, str], Value] = dict(self._of_packages() if isinstance(site, External) else ())
        for model, made in self._registered(site):
            if made == _TAKEN_AWAY:
                models.pop(model, None)
            else:
                models[model] = made
        for (label, name), made in models.items():
            start = f"{label}/{name}/"
            for path in [*_OF_MODEL.split(), *self._added(made)]:
                yield "*", start if path == "." else start + path, None
            for method in _REDIRECT.split():
                yield method, f"{start}{{object_id}}/", None
            yield from self._own(
                made, Call(made, [], {}, made.module, made.line) if isinstance(made, Class) else None, start
            )
        if isinstance(site, Call):
            yield from self._own(site.function, site, "")

    def _own(self, made: Value, instance: Value, start: str) -> Iterator[tuple[str, str, Value]]:
        """What the class of a site or of a model's admin adds in a `get_urls` of its own."""
        function = made.find("get_urls") if isinstance(made, Class) else None
        if isinstance(function, Function):
            yield "", start, self.code.returned(function, [instance])

    def _discover(self) -> None:
        """As Django does, `models` of every installed application are imported, and then `admin`."""
        if not self._discovered:
            self._discovered = True
            for folder, _ in self.settings.applications.values():
                if folder:
                    self.code.django.open_models(folder)
            for folder, _ in self.settings.applications.values():
                path = self.code.names.find(folder, "admin") if folder else None
                if path is not None:
                    self.code.execute_apart(self.code.module(path))
                    for name in sorted(self.code.names.children.get(path.removesuffix("/__init__.py"), ())):
                        if not path.endswith(".py") and (inner := self.code.names.find(path, name)):
                            self.code.execute_apart(self.code.module(inner))

    def _of_packages(self) -> Iterator[tuple[tuple[str, str], Value]]:
        for application in self.settings.installed:
            label, *names = ADMIN_MODELS.get(application, "").split() or [""]
            yield from (((label, name), None) for name in names)
        if "django.contrib.auth" in self.settings.installed:
            yield ("auth", "group"), None
            if self.settings.user_model() == ("auth", "user"):
                yield ("auth", "user"), External("django.contrib.auth.admin.UserAdmin")

    def _registered(self, site: Value) -> Iterator[tuple[tuple[str, str], Value]]:
        """Models with the class of their admin, None when it is Django's own."""
        for call in list(self.code.calls):
            name = self._method(call, site)
            if name not in ("register", "unregister", "decorator"):
                continue
            if name == "decorator":
                given = list(call.arguments)
                made = next(
                    (made.arguments[0] for made in call.calls if made.function is call and made.arguments), None
                )
            else:
                first = call.argument(0, "model_or_iterable")
                given = list(first) if isinstance(first, list | tuple) else [first]
                made = _TAKEN_AWAY if name == "unregister" else call.argument(1, "admin_class")
            for value in given:
                if name_of(value).removesuffix("()") == "django.contrib.auth.get_user_model":
                    yield self.settings.user_model(), made
                elif (model := self.settings.model(value)) is not None:
                    yield model, made

    def _method(self, call: Call, site: Value) -> str:
        """Which method of the site a call is of, if any; `decorator`: `@admin.register(Model)`."""
        function = call.function
        if isinstance(function, External) and function.name == "django.contrib.admin.register":
            chosen = call.keywords.get("site", External(_SITE))
            return "decorator" if chosen is site or chosen == site else ""
        if isinstance(function, External):
            above, _, name = function.name.rpartition(".")
            return name if isinstance(site, External) and above == _SITE else ""
        if isinstance(function, Attribute) and function.value is site:
            return function.name
        return ""

    def _added(self, made: Value) -> list[str]:
        names = {made.name} if isinstance(made, External) else self.code.external_bases(made)
        return [path for name in sorted(names) for path in ADMIN_CLASSES.get(name, "").split()]
