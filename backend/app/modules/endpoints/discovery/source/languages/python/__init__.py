"""Python."""

from backend.app.modules.endpoints.discovery.source import Language, Sources
from backend.app.modules.endpoints.discovery.source.languages import languages
from backend.app.modules.endpoints.discovery.source.languages.python.extract import extract


def _code(sources: Sources) -> object:
    from backend.app.modules.endpoints.discovery.source.languages.python.code import Code  # workers do without

    return Code(sources)


languages.register("python")(
    Language(
        suffixes=(".py",),
        version=6,
        extract=extract,
        code=_code,
        left_out=r"^test_|_test\.py$|^tests?\.py$|^conftest\.py$|^setup\.py$|_pb2(_grpc)?\.py$",
    )
)
