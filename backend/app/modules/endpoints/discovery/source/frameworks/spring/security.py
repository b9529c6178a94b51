"""Whether a route needs authentication: by the annotations of method security. The rules of a filter
chain are not read.

https://docs.spring.io/spring-security/reference/servlet/authorization/method-security.html
"""

import re

from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotation
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code

_GUARDS = frozenset({"PreAuthorize", "Secured", "RolesAllowed", "DenyAll", "PermitAll"})
_OPEN = re.compile(r"^\s*(?:permitAll(?:\(\))?|isAnonymous\(\)|true|@\w+\.permitAll\(\))\s*$")


class Security:
    def __init__(self, code: Code) -> None:
        self.code = code

    def of(self, marks: list[Annotation], class_marks: list[Annotation]) -> bool | None:
        for listed in (marks, class_marks):
            guard = next((mark for mark in listed if mark.name in _GUARDS), None)
            if guard is not None:
                return self._needs(guard)
        return None

    def _needs(self, guard: Annotation) -> bool:
        if guard.name == "PermitAll":
            return False
        value = guard.get("value")
        texts = self.code.texts(*value) if value else []
        if guard.name == "PreAuthorize" and len(texts) == 1:
            return _OPEN.match(texts[0].value) is None
        return not any("ANONYMOUS" in text.value for text in texts)
