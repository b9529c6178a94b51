"""The webhook APIs of GitHub, GitLab, Bitbucket Cloud and Bitbucket Data Center, for a `git_host.GitHost` to answer."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.git_host import Answer, Call

GITHUB: Final = re.compile(r"/api/v3/repos/([^/]+/[^/]+)/hooks(?:/([^/]+))?")
GITLAB: Final = re.compile(r"/api/v4/projects/([^/]+%2F[^/]+)/hooks(?:/([^/]+))?")
BITBUCKET: Final = re.compile(r"/2\.0/repositories/([^/]+/[^/]+)/hooks(?:/([^/]+))?")
BITBUCKET_SERVER: Final = re.compile(r"/rest/api/1\.0/projects/([^/]+/repos/[^/]+)/webhooks(?:/([^/]+))?")
_UPDATES: Final = {GITHUB: "PATCH", GITLAB: "PUT", BITBUCKET: "PUT", BITBUCKET_SERVER: "PUT"}
_REQUIRED: Final = {
    GITHUB: {"config", "events"},
    GITLAB: {"url"},
    BITBUCKET: {"description", "url", "active", "events"},
    BITBUCKET_SERVER: {"name", "url", "events", "configuration"},
}
_SECRETS: Final = ("secret", "token", "signing_token")


@dataclass
class FakeApis:
    """`hooks` are those of the one repository that there is, by id; `authorization` is what the API lets in."""

    authorization: tuple[str, str]
    repository: str
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: Answer | None = None
    """Answered to everything."""
    made: int = 0

    def answer(self, call: Call) -> Answer | None:
        for api in (GITHUB, GITLAB, BITBUCKET, BITBUCKET_SERVER):
            if found := api.fullmatch(call.path):
                return self.broken or self._answer(api, call, found[1], found[2])
        return None

    def _answer(self, api: re.Pattern[str], call: Call, repository: str, hook_id: str | None) -> Answer:
        name, value = self.authorization
        if call.headers.get(name.lower()) != value:
            return _json(401, {"message": "Unauthorized"})
        if repository != self.repository:
            return _json(404, {"message": "Not Found"})
        if hook_id is not None and hook_id.replace("%7B", "{").replace("%7D", "}") not in self.hooks:
            return _json(404, {"message": "Not Found"})
        body: dict[str, Any] = json.loads(call.body or b"{}")
        if call.method in ("POST", _UPDATES[api]) and not _REQUIRED[api] <= body.keys():
            return _json(422, {"message": "Validation Failed"})
        if call.method == "GET" and hook_id is None:
            listed = [_shown(hook) for hook in self.hooks.values()]
            return _json(200, listed if api in (GITHUB, GITLAB) else {"values": listed})
        if call.method == "POST" and hook_id is None:
            self.made += 1
            known: dict[str, Any] = {"uuid": f"{{b1e5-{self.made}}}"} if api is BITBUCKET else {"id": 100 + self.made}
            ((_, key),) = known.items()
            self.hooks[str(key)] = {**body, **known}
            return _json(201, _shown(self.hooks[str(key)]))
        if call.method == _UPDATES[api] and hook_id is not None:
            hook = self.hooks[hook_id.replace("%7B", "{").replace("%7D", "}")]
            hook.update(body)
            return _json(200, _shown(hook))
        if call.method == "DELETE" and hook_id is not None:
            del self.hooks[hook_id.replace("%7B", "{").replace("%7D", "}")]
            return 204, {}, b""
        return _json(405, {"message": "Method Not Allowed"})


def sign(secret: str, body: bytes) -> str:
    """As GitHub and Bitbucket do."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _shown(hook: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _shown(value) if isinstance(value, dict) else value
        for name, value in hook.items()
        if name not in _SECRETS
    }


def _json(status: int, body: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()
