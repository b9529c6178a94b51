"""What a discovery strategy is handed in a test: a dict in place of the network, and readers in this process."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.modules.endpoints.discovery import Tools
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import read_capture
from backend.app.modules.endpoints.discovery.source.model import SourceReport
from backend.app.modules.endpoints.discovery.source.tree import scan_tree


class Web:
    """Answers by URL, or by method and URL (`OPTIONS http://...`); `otherwise` to everything else, which is 404."""

    def __init__(
        self,
        *pages: tuple[str, int, bytes],
        down: Outcome | None = None,
        otherwise: Callable[[Request], Answer] = lambda request: Answer(404, ()),
    ) -> None:
        self.pages = {url: Answer(status, (), body) for url, status, body in pages}
        self.otherwise = otherwise
        self.down = down
        self.requests: list[Request] = []

    @property
    def fetched(self) -> list[str]:
        return [request.url for request in self.requests]

    async def __call__(self, request: Request, *, follow_redirects: bool = True) -> Exchange:
        self.requests.append(request)
        if self.down:
            return Exchange(request, self.down, Timing(0), error="nobody is there")
        answer = self.pages.get(f"{request.method} {request.url}") or self.pages.get(request.url)
        return Exchange(request, Outcome.ANSWERED, Timing(0), answer or self.otherwise(request))


async def _read_document(document: bytes, where: str) -> ApiDescription:
    return describe(parse_document(document))


async def _read_capture(path: Path, known: Sequence[str]) -> CaptureReport:
    return read_capture(path, known=known)


async def _read_source(path: Path) -> SourceReport:
    return scan_tree(path, workers=0)


async def _unheard(done: int, total: int, note: str = "") -> None:
    return


def tools_of(web: Web, read: Callable[[bytes, str], Awaitable[ApiDescription]] = _read_document) -> Tools:
    return Tools(web, read, _read_capture, _read_source, _unheard)
