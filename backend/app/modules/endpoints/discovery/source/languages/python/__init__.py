"""Python."""

from backend.app.modules.endpoints.discovery.source import Language
from backend.app.modules.endpoints.discovery.source.languages import languages
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.extract import extract

languages.register("python")(
    Language(
        suffixes=(".py",),
        version=6,
        extract=extract,
        code=Code,
        left_out=r"^test_|_test\.py$|^tests?\.py$|^conftest\.py$|^setup\.py$|_pb2(_grpc)?\.py$",
    )
)
