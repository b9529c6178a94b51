"""Languages whose source code is read. One file or package, one language."""

from backend.app.core.registry import Registry
from backend.app.modules.endpoints.discovery.source import Language

languages: Registry[Language] = Registry("source_language", __name__)
