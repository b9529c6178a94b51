"""Java and Kotlin: what runs on the Java virtual machine and is written in `.java` and `.kt`."""

from backend.app.modules.endpoints.discovery.source import Language, Sources
from backend.app.modules.endpoints.discovery.source.languages import languages
from backend.app.modules.endpoints.discovery.source.languages.jvm.extract import extract

_PROFILES = ("", "-default", "-dev", "-local", "-prod")


def _code(sources: Sources) -> object:
    from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code  # workers do without

    return Code(sources)


languages.register("jvm")(
    Language(
        suffixes=(".java", ".kt"),
        version=3,
        extract=extract,
        code=_code,
        left_out=r"(Tests?|TestCase|IT|ITCase|Spec)\.(java|kt)$|^(package|module)-info\.java$",
        beside=(
            *(
                f"{name}{profile}.{suffix}"
                for name in ("application", "bootstrap")
                for profile in _PROFILES
                for suffix in ("properties", "yml", "yaml")
            ),
            *(
                f"{name}.{suffix}"
                for name in ("openapi", "swagger", "api", "api-docs")
                for suffix in ("yml", "yaml", "json")
            ),
            "pom.xml",
            "build.gradle",
            "build.gradle.kts",
            "web.xml",
        ),
    )
)
