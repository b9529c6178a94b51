"""Django, with Django REST framework: URLconfs from `ROOT_URLCONF` on, class-based views, viewsets and their routers.

A function view takes any method (`*`) unless a decorator says which. The admin site is reported with the models that
are registered, and what well-known packages include as `packages` knows it; of others, a fault says that they are left
out. The format suffixes of routers, and HEAD and OPTIONS of class-based views are not reported; regular expressions are
written as Django's admin documentation writes them.
"""

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.frameworks.django.urls import Walk
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault


def _link(code: Code) -> list[Route | SourceFault]:
    return Walk(code).run()


frameworks.register("django")(
    Framework(
        description="Django: URLconfs with includes, class-based views; routers and viewsets of Django REST framework.",
        language="python",
        gate=r"\burlpatterns\b|\bROOT_URLCONF\b|\bREST_FRAMEWORK\s*=",
        link=_link,
    )
)
