"""JavaScript and TypeScript: modules in either manner, `.js`, `.ts` and their variants."""

from backend.app.modules.endpoints.discovery.source import Language, Sources
from backend.app.modules.endpoints.discovery.source.languages import languages
from backend.app.modules.endpoints.discovery.source.languages.javascript.extract import extract
from backend.app.modules.endpoints.discovery.source.languages.javascript.settings import ENVIRONMENT_FILES


def _code(sources: Sources) -> object:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code  # workers do without

    return Code(sources)


languages.register("javascript")(
    Language(
        suffixes=(".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"),
        version=3,
        extract=extract,
        code=_code,
        left_out=r"[._-](test|spec|e2e|stories|mock|cy)\.[cm]?[jt]sx?$|\.d\.[cm]?ts$|\.min\.[cm]?js$"
        r"|^(jest|vite|vitest|webpack|rollup|karma|gulpfile|babel|eslint|prettier|playwright|cypress)[\w.]*\.[cm]?[jt]s$",
        beside=(
            *ENVIRONMENT_FILES,
            "package.json",
            "tsconfig.json",
            "jsconfig.json",
            "tsconfig.base.json",
            "tsconfig.app.json",
            "default.json",
        ),
    )
)
