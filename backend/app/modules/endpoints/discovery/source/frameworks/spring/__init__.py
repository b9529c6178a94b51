"""Spring MVC and Spring WebFlux, as Spring Boot runs them: annotated controllers and router functions.

Every mapping that the code declares is a route, those of `@Controller` that answer with a view too; HEAD and OPTIONS,
which Spring adds by itself, are none, nor are its own (`/error`, static resources, the actuator). A path begins with
the context path of the configuration that runs by default.
"""

from collections.abc import Iterator

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.configuration import Configurations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.functional import RouterFunctions
from backend.app.modules.endpoints.discovery.source.frameworks.spring.mappings import Controllers
from backend.app.modules.endpoints.discovery.source.frameworks.spring.prefixes import Prefixes
from backend.app.modules.endpoints.discovery.source.frameworks.spring.security import Security
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code
from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault


def link(code: Code) -> Iterator[Route | SourceFault]:
    annotations = Annotations(code)
    configurations = Configurations(code.sources)
    prefixes = Prefixes(code, annotations, configurations)
    security = Security(code)
    yield from Controllers(code, annotations, configurations, prefixes, security).routes()
    yield from RouterFunctions(code, annotations, configurations).routes()


frameworks.register("spring")(
    Framework(
        description="Spring MVC and Spring WebFlux: annotated controllers and router functions.",
        language="jvm",
        gate=r"@(?:[\w.]*\.)?\w*(?:Controller|Mapping|Exchange)\b|\bRouterFunction|\b(?:coR|r)outer *\{"
        r"|(?:add|set)PathPrefix|@RepositoryRestResource|\bgetServletMappings\b",
        link=link,
    )
)
