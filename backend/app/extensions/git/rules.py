"""Which URLs, branches and folders are handed to git: pure rules.

All of them are stricter than git's own: what git, curl and a shell read differently is refused.
"""

import re
from typing import Final

from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.http_client.policy import Origin, RequestRefused, parse_url

MAX_URL: Final = 1000
MAX_BRANCH: Final = 200
MAX_SUBFOLDER: Final = 500

URL_PATTERN: Final = (
    r"[Hh][Tt][Tt][Pp][Ss]://[A-Za-z0-9._:\[\]-]+"
    r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~+@:-]|%(?:[89A-Fa-f][0-9A-Fa-f]|2[0-9A-Da-d]|3[0-9A-Fa-f]|[46][0-9A-Fa-f]"
    r"|5[0-9ABD-Fabd-f]|7[0-9A-Ea-e]))+)+/?"
)
"""The part of RFC 3986 that repositories have: no user, no query, no fragment; no escaped control character, dot, slash
or backslash."""
_URL = re.compile(URL_PATTERN)
_NOT_IN_BRANCH = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")
_NOT_IN_FOLDER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")


def repository_url(url: str) -> tuple[Origin, str]:
    """The origin to resolve, and the URL that names exactly this origin. Raises `GitError` (URL_INVALID)."""
    try:
        target = parse_url(url)
    except RequestRefused as refusal:
        raise _url_invalid(_what_to_do(url) or refusal.message) from None
    origin = target.origin
    if origin.scheme != "https":
        raise _url_invalid("only https:// URLs can be cloned")
    if len(url) > MAX_URL or _URL.fullmatch(url) is None:
        raise _url_invalid("the URL holds what the URL of a repository has no need for, or names none")
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return origin, f"https://{host}:{origin.port}{target.path}"


def require_branch(name: str) -> None:
    """git-check-ref-format(1), and no option. Raises `GitError` (BRANCH_INVALID)."""
    if (
        not name
        or len(name) > MAX_BRANCH
        or name in ("@", "HEAD")
        or name.startswith(("-", "/", "."))
        or name.endswith(("/", "."))
        or _NOT_IN_BRANCH.search(name)
    ):
        raise GitError(Reason.BRANCH_INVALID, "this is no name of a branch")


def require_subfolder(path: str) -> None:
    """Empty for the whole repository. Raises `GitError` (SUBFOLDER_INVALID)."""
    if not path:
        return
    parts = path.split("/")
    if len(path) > MAX_SUBFOLDER or _NOT_IN_FOLDER.search(path) or not all(map(is_safe, parts)):
        raise GitError(
            Reason.SUBFOLDER_INVALID,
            "a sub-folder is written as services/shop, without . and .. and without a / at its ends",
        )


def is_safe(part: str) -> bool:
    """Whether a part of a path names something below its folder, and nothing that is git's own on any file system."""
    plain = "".join(character for character in part if character.isprintable()).casefold().rstrip(" .")
    return part not in ("", ".", "..") and "\\" not in part and plain not in (".git", "git~1")


def _what_to_do(url: str) -> str | None:
    if re.match(r"ssh:|git\+ssh:|[A-Za-z0-9._-]+@[^/]*:", url):
        return "repositories are not cloned over ssh: give the https:// URL and an access token"
    if re.match(r"https?:", url, re.IGNORECASE) and "@" in url.partition("//")[2].partition("/")[0]:
        return "the URL holds a user name or a password: take them out and give them as the credential"
    return None if re.match(r"https?:", url, re.IGNORECASE) else "only https:// URLs can be cloned"


def _url_invalid(message: str) -> GitError:
    return GitError(Reason.URL_INVALID, message)
