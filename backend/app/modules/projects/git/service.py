"""The rules of git sources.

`GitService` works in one transaction, as services do; `GitSetup` asks a repository or a provider in between, and holds
no transaction while it does; `DeliveryService` takes what a provider delivers.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import orjson
import structlog

from backend.app.core.context import ServiceContext
from backend.app.core.errors import TouchstoneError
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.permissions import Principal, system_principal
from backend.app.core.runner import JobContext
from backend.app.core.runtime import Runtime
from backend.app.core.secrets import SealBroken, sealer
from backend.app.core.settings import Settings
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.extensions.git import CheckoutOrder, Credential, GitError, Head, Reason, head_of
from backend.app.extensions.git.rules import repository_url
from backend.app.extensions.http_client import HttpClient, HttpLimits, RequestRefused
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.extensions.http_client.policy import parse_url
from backend.app.modules.projects.git.errors import (
    ApiElsewhere,
    BranchNeeded,
    DeliveryRefused,
    DeliveryUnreadable,
    GitCredentialNeeded,
    GitHostUnavailable,
    GitSourceNameTaken,
    GitSourceNotFound,
    NoProvider,
    WebhookNotFound,
    WebhookRegistered,
    unusable,
)
from backend.app.modules.projects.git.events import (
    GitPushed,
    GitSourceCreated,
    GitSourceDeleted,
    GitSourceUpdated,
    GitWebhookLeft,
    GitWebhookRegistered,
    GitWebhookRemoved,
    GitWebhookSecretRotated,
)
from backend.app.modules.projects.git.providers import PROVIDERS, provider_of
from backend.app.modules.projects.git.providers.base import Api, Delivery, GitHost, Hook, Kind
from backend.app.modules.projects.git.providers.gitlab import SIGNING_PREFIX
from backend.app.modules.projects.git.repository import DeliveryRepository, GitSourceRepository
from backend.app.modules.projects.git.schemas import (
    CredentialKind,
    GitCredential,
    GitSourceCreate,
    GitSourceRead,
    GitSourceUpdate,
    GitSourceWithSecret,
    Provider,
)
from backend.app.modules.projects.models import ProjectStatus
from backend.app.modules.projects.service import ProjectService

log = structlog.get_logger(module_id="projects")

WEBHOOK_PATH: Final = "/api/v1/git/webhooks/{}"
PREVIOUS_SECRET: Final = timedelta(hours=24)
"""How long deliveries may still be signed with the secret before."""
DELIVERIES_KEPT: Final = timedelta(days=7)
"""How long a delivery is known again; providers send one again within three days."""
MAX_DELIVERY_ID: Final = 200
_MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Of a provider's API: a page of webhooks has a few thousand."""
_READ: Final = tuple(name for name in GitSourceRead.model_fields if name not in ("auth_type", "webhook_url"))


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """What a discovery checks out, and the source to tell of it."""

    source_id: str
    order: CheckoutOrder


class GitService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._sources = GitSourceRepository(context.session, context.workspace_id)

    async def page(self, project_id: str, request: PageRequest) -> Page[GitSourceRead]:
        """Newest first. Raises `ProjectNotFound`, `InvalidCursor`."""
        await ProjectService(self._context).get(project_id)
        page = request.page(await self._sources.page(project_id, request.after(), request.limit + 1), "id")
        return Page([self._read(row) for row in page.rows], page.next_cursor)

    async def get(self, project_id: str, source_id: str) -> GitSourceRead:
        """Raises `GitSourceNotFound`."""
        return GitSourceRead.model_validate(self._read(await self.row(project_id, source_id)))

    async def checkout_orders(self, project_id: str, source_ids: Sequence[str] | None = None) -> list[SourceOrder]:
        """What `extensions.git.checked_out` is to check out, with credentials in plain text: only for the jobs that
        read the code. None for every source of the project. Raises `GitSourceNotFound`, `SealBroken`."""
        rows = await self._sources.some(project_id, source_ids)
        if source_ids is not None and {row["id"] for row in rows} != set(source_ids):
            raise GitSourceNotFound
        return [SourceOrder(row["id"], self.order(row)) for row in rows]

    async def gone(self, project_id: str, source_ids: Sequence[str]) -> set[str]:
        """Those that are there no more."""
        rows = await self._sources.some(project_id, source_ids) if source_ids else ()
        return set(source_ids) - {row["id"] for row in rows}

    async def record_scan(self, read: SourceOrder, commit: str) -> None:
        """What a discovery read. A source that is gone, or that names other files by now, is passed over."""
        order, noted = read.order, {"last_commit": commit, "last_scanned_at": self._context.clock()}
        known_by = {"url": order.url, "branch": order.branch, "subfolder": order.subfolder}
        await self._sources.note(read.source_id, noted, of=known_by)

    async def row(self, project_id: str, source_id: str, *, lock: bool = False) -> Row:
        row = await self._sources.get(project_id, source_id, lock=lock)
        if row is None:
            raise GitSourceNotFound
        return row

    async def add(self, project_id: str, values: Mapping[str, Any], credential: GitCredential | None) -> Any:
        """Raises `ProjectNotFound`, `ArchivedProject`, `GitSourceNameTaken`."""
        await ProjectService(self._context).get_active(project_id)
        source_id, secret, now = new_ulid(), _new_secret(), self._context.clock()
        added = await self._sources.add(
            {
                **values,
                **self._sealed(source_id, credential),
                "id": source_id,
                "project_id": project_id,
                "webhook_sealed": self._seal_secrets(source_id, {"current": secret}),
                "created_at": now,
                "updated_at": now,
            }
        )
        if not added:
            raise GitSourceNameTaken
        await self._publish(GitSourceCreated(git_source_id=source_id, project_id=project_id, label=values["name"]))
        return await self._with_secret(project_id, source_id, secret)

    async def edit(
        self, before: Row, values: Mapping[str, Any], wanted: GitSourceUpdate, if_match: str | None
    ) -> GitSourceRead:
        """Raises `GitSourceNotFound`, `PreconditionFailed`, `GitSourceNameTaken`."""
        project_id, source_id = before["project_id"], before["id"]
        row = await self._locked(project_id, source_id, if_match)
        require_match(entity_tag(before["version"]), entity_tag(row["version"]))
        changes = {name: value for name, value in values.items() if value != row[name]}
        fields = sorted(changes)
        if "credential" in wanted.model_fields_set:
            changes |= self._sealed(source_id, wanted.credential)
            fields.append("credential")
        if not changes:
            return await self.get(project_id, source_id)
        if {"url", "branch", "subfolder"} & changes.keys():
            changes |= {"last_commit": None, "last_scanned_at": None}
        if not await self._sources.edit(source_id, {**changes, "updated_at": self._context.clock()}):
            raise GitSourceNameTaken
        await self._publish(GitSourceUpdated(git_source_id=source_id, project_id=project_id, fields=tuple(fields)))
        return await self.get(project_id, source_id)

    async def delete(self, project_id: str, source_id: str, if_match: str | None) -> None:
        """A webhook at the provider is removed by `remove_webhook`, which hears of it. Raises `GitSourceNotFound`,
        `PreconditionFailed`."""
        row = await self._locked(project_id, source_id, if_match)
        await self._sources.leave_webhooks(project_id, source_id)
        await self._sources.remove(source_id)
        await self._publish(GitSourceDeleted(git_source_id=source_id, project_id=project_id, label=row["name"]))

    async def rotate_secret(self, project_id: str, source_id: str) -> Any:
        """Another secret for deliveries; the one before is good for a day. Raises `GitSourceNotFound`."""
        row = await self.row(project_id, source_id, lock=True)
        secret, now = _new_secret(), self._context.clock()
        held = {
            "current": secret,
            "previous": webhook_secrets(self._context.settings, row, now)["current"],
            "until": (now + PREVIOUS_SECRET).timestamp(),
        }
        await self._sources.note(source_id, {"webhook_sealed": self._seal_secrets(source_id, held)})
        await self._publish(GitWebhookSecretRotated(git_source_id=source_id, project_id=project_id))
        return await self._with_secret(project_id, source_id, secret)

    async def note_webhook(self, row: Row, hook_id: str | None) -> GitSourceRead:
        """What is registered at the provider; None for nothing. Raises `GitSourceNotFound`."""
        project_id, source_id = row["project_id"], row["id"]
        await self.row(project_id, source_id, lock=True)
        at = None if hook_id is None else self._context.clock()
        await self._sources.note(source_id, {"hook_id": hook_id, "webhook_registered_at": at})
        event = GitWebhookRemoved if hook_id is None else GitWebhookRegistered
        await self._publish(event(git_source_id=source_id, project_id=project_id, provider=row["provider"]))
        return await self.get(project_id, source_id)

    async def left_webhooks(self, project_id: str, source_id: str | None) -> Sequence[Row]:
        """Of a source, or of all of a project, that is gone."""
        return await self._sources.left_webhooks(project_id, source_id)

    async def forget_webhook(self, row: Row, failure: TouchstoneError | None) -> None:
        """One of `left_webhooks`, which was removed at the provider or could not be."""
        await self._sources.forget_webhook(row["id"])
        about = {"git_source_id": row["id"], "project_id": row["project_id"], "provider": row["provider"] or ""}
        await self._publish(GitWebhookLeft(**about, reason=failure.code) if failure else GitWebhookRemoved(**about))

    def order(self, row: Row) -> CheckoutOrder:
        return CheckoutOrder(row["name"], row["url"], row["branch"], row["subfolder"], self.credential(row))

    def credential(self, row: Row) -> Credential | None:
        """In plain text. Raises `SealBroken`."""
        if row["credential_sealed"] is None:
            return None
        held = json.loads(sealer(self._context.settings).open(row["credential_sealed"], _credential_place(row["id"])))
        return for_git(GitCredential.model_construct(**held), row["provider"])

    async def _locked(self, project_id: str, source_id: str, if_match: str | None) -> Row:
        row = await self.row(project_id, source_id, lock=True)
        if if_match is not None:
            require_match(if_match, entity_tag(row["version"]))
        return row

    def _sealed(self, source_id: str, credential: GitCredential | None) -> dict[str, Any]:
        if credential is None:
            return {"credential_kind": CredentialKind.NONE, "credential_sealed": None}
        sealed = sealer(self._context.settings).seal(
            json.dumps(credential.model_dump()).encode(), _credential_place(source_id)
        )
        kind = CredentialKind.PASSWORD if credential.username else CredentialKind.TOKEN
        return {"credential_kind": kind, "credential_sealed": sealed}

    def _seal_secrets(self, source_id: str, held: Mapping[str, Any]) -> str:
        return sealer(self._context.settings).seal(json.dumps(held).encode(), _webhook_place(source_id))

    async def _with_secret(self, project_id: str, source_id: str, secret: str) -> GitSourceWithSecret:
        row = self._read(await self.row(project_id, source_id))
        return GitSourceWithSecret.model_validate({**row, "webhook_secret": secret})

    def _read(self, row: Row) -> Row:
        """With the fields of `GitSourceRead`."""
        read = {name: row[name] for name in _READ}
        url = self._context.settings.public_url + WEBHOOK_PATH.format(row["id"])
        return {**read, "auth_type": row["credential_kind"], "webhook_url": url}

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)


class GitSetup:
    """For those who are signed in. It opens its own transactions: none is held while somebody is asked."""

    def __init__(self, runtime: Runtime, principal: Principal, request_id: str) -> None:
        self._runtime = runtime
        self._principal = principal
        self._request_id = request_id

    async def create(self, project_id: str, wanted: GitSourceCreate, *, ask: bool) -> Any:
        """`ask`: the repository has to answer, with the branch. Raises `ProjectNotFound`, `ArchivedProject`,
        `GitSourceUnusable`, `GitMissing`, `BranchNeeded`, `ApiElsewhere`, `GitSourceNameTaken`."""
        async with self._transaction(write=False) as context:
            await ProjectService(context).get(project_id)
        values = wanted.model_dump(exclude={"credential"})
        values["provider"] = self._checked(values)
        if ask:
            head = await self._ask(_order(values, for_git(wanted.credential, values["provider"])))
            values["branch"] = head.branch
        elif wanted.branch is None:
            raise BranchNeeded
        async with self._transaction() as context:
            return await GitService(context).add(project_id, values, wanted.credential)

    async def update(
        self, project_id: str, source_id: str, wanted: GitSourceUpdate, if_match: str | None, *, ask: bool
    ) -> GitSourceRead:
        """As `create`. Raises `GitSourceNotFound`, `PreconditionFailed`, `WebhookRegistered`, `GitCredentialNeeded`
        too."""
        async with self._transaction(write=False) as context:
            service = GitService(context)
            before = await service.row(project_id, source_id)
            if if_match is not None:
                require_match(if_match, entity_tag(before["version"]))
            credential = service.credential(before)
        sent = wanted.model_dump(exclude_unset=True, exclude={"credential"})
        merged = {**before, **sent}
        if merged["url"] != before["url"]:
            if before["hook_id"] is not None:
                raise WebhookRegistered
            elsewhere = repository_url(merged["url"])[0] != repository_url(before["url"])[0]
            if elsewhere and credential is not None and "credential" not in wanted.model_fields_set:
                raise GitCredentialNeeded(errors=[{"pointer": "#/url", "detail": GitCredentialNeeded.title}])
        if {"url", "provider", "api_url"} & sent.keys():
            if "provider" not in sent:
                merged["provider"] = provider_of(repository_url(merged["url"])[0].host) or before["provider"]
            sent["provider"] = self._checked(merged)
        if "credential" in wanted.model_fields_set:
            credential = for_git(wanted.credential, sent.get("provider", before["provider"]))
        if ask and {"url", "branch", "credential"} & wanted.model_fields_set:
            await self._ask(_order(merged, credential))
        async with self._transaction() as context:
            return await GitService(context).edit(before, sent, wanted, if_match)

    async def register_webhook(self, project_id: str, source_id: str) -> GitSourceRead:
        """Makes the webhook at the provider, or brings it up to date. Raises `GitSourceNotFound`, `NoProvider`,
        `GitHostRefused`, `GitHostUnavailable`, `GitHostFaulty`."""
        row, credential = await self._with_credential(project_id, source_id)
        settings = self._runtime.settings
        secret = webhook_secrets(settings, row, self._runtime.clock())["current"]
        hook = Hook(settings.public_url + WEBHOOK_PATH.format(source_id), secret)
        async with _provider(settings, row, credential) as (host, api, path):
            hook_id = await host.register(api, path, hook, row["hook_id"])
        async with self._transaction() as context:
            return await GitService(context).note_webhook(row, hook_id)

    async def remove_webhook(self, project_id: str, source_id: str) -> GitSourceRead:
        """As `register_webhook`. Raises `WebhookNotFound` too."""
        async with self._transaction(write=False) as context:
            if (await GitService(context).row(project_id, source_id))["hook_id"] is None:
                raise WebhookNotFound
        row, credential = await self._with_credential(project_id, source_id)
        async with _provider(self._runtime.settings, row, credential) as (host, api, path):
            await host.remove(api, path, row["hook_id"])
        async with self._transaction() as context:
            return await GitService(context).note_webhook(row, None)

    async def _with_credential(self, project_id: str, source_id: str) -> tuple[Row, Credential | None]:
        async with self._transaction(write=False) as context:
            service = GitService(context)
            row = await service.row(project_id, source_id)
            return row, service.credential(row)

    def _checked(self, values: Mapping[str, Any]) -> Provider | None:
        """The provider. An address that may not be called is refused here, whether the repository is asked or not.
        Raises `GitSourceUnusable`, `ApiElsewhere`."""
        origin = repository_url(values["url"])[0]
        policy = outgoing_policy(self._runtime.settings)
        try:
            policy.check_origin(origin)
            if origin.address is not None:
                policy.check_address(origin, origin.address)
        except RequestRefused as refusal:
            raise unusable(GitError(Reason.ADDRESS_REFUSED, refusal.message)) from None
        if values["api_url"] is not None:
            api = parse_url(values["api_url"]).origin
            if api != origin and (api.scheme, api.host) != ("https", f"api.{origin.host}"):
                raise ApiElsewhere(errors=[{"pointer": "#/api_url", "detail": ApiElsewhere.title}])
        return Provider(values["provider"]) if values["provider"] else provider_of(origin.host)

    async def _ask(self, order: CheckoutOrder) -> Head:
        try:
            return await head_of(order, outgoing_policy(self._runtime.settings))
        except GitError as error:
            raise unusable(error) from None

    @asynccontextmanager
    async def _transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        runtime, principal = self._runtime, self._principal
        async with runtime.database.transaction(principal.workspace_id, write=write) as session:
            yield ServiceContext(runtime.settings, session, runtime.hub, principal, runtime.clock, self._request_id)


class Taken(Enum):
    """What became of a delivery."""

    PUSHED = "pushed"
    REPEATED = "repeated"
    """It came before."""
    PINGED = "pinged"
    PASSED_OVER = "passed over"
    """Of a kind, or about a branch, that nobody here waits for."""


class DeliveryService:
    """For providers, which are nobody until a signature shows whose source it is about."""

    def __init__(self, runtime: Runtime, request_id: str) -> None:
        self._runtime = runtime
        self._request_id = request_id

    async def receive(self, source_id: str, delivery: Delivery) -> Taken:
        """Publishes `git.pushed` once for a delivery about a push to the branch of the source; the URL that a payload
        names plays no part. Raises `DeliveryRefused`, `DeliveryUnreadable`, `DeliveryInvalid`."""
        host_name, host = next(
            ((name, host) for name, host in PROVIDERS.items() if host.recognises(delivery.headers)), (None, None)
        )
        now = self._runtime.clock()
        async with self._runtime.database.transaction(EVERY_WORKSPACE, write=False) as session:
            row = await DeliveryRepository(session).source(source_id)
        signed_by = None if host is None else self._signed_by(row, host, delivery, now)
        if row is None or host is None or host_name is None or signed_by is None:
            log.warning("git_delivery.refused", source_id=source_id, provider=host_name)
            raise DeliveryRefused
        delivery_id = host.delivery_id(delivery.headers)
        if not delivery_id or len(delivery_id) > MAX_DELIVERY_ID or not delivery_id.isprintable():
            raise DeliveryUnreadable("The delivery has no id")
        kind = host.kind(delivery.headers)
        if kind is not Kind.PUSH:
            return Taken.PINGED if kind is Kind.PING else Taken.PASSED_OVER
        try:
            document = orjson.loads(delivery.body)
        except orjson.JSONDecodeError:
            raise DeliveryUnreadable("The delivery is not JSON: let the webhook send application/json") from None
        pushes = [push for push in host.pushes(document) if push.branch == row["branch"]]
        if not pushes or row["project_status"] != ProjectStatus.ACTIVE:
            return Taken.PASSED_OVER
        async with self._runtime.database.transaction(row["workspace_id"]) as session:
            deliveries = DeliveryRepository(session)
            await deliveries.drop_expired(source_id, now)
            known = {"source_id": source_id, "delivery_id": delivery_id, "workspace_id": row["workspace_id"]}
            if not await deliveries.add({**known, "expires_at": now + DELIVERIES_KEPT}):
                return Taken.REPEATED
            runtime = self._runtime
            principal = system_principal(row["workspace_id"])
            context = ServiceContext(runtime.settings, session, runtime.hub, principal, runtime.clock, self._request_id)
            pushed = GitPushed(
                git_source_id=source_id,
                project_id=row["project_id"],
                branch=row["branch"],
                commit=pushes[-1].commit,
                provider=host_name,
                delivery_id=delivery_id,
                key="current" if signed_by == "current" else "previous",
            )
            await runtime.hub.publish(pushed, context)
        return Taken.PUSHED

    def _signed_by(self, row: Row | None, host: GitHost, delivery: Delivery, now: datetime) -> str | None:
        """Which secret. A source that is not there is asked about with a secret of nobody, which takes as long."""
        known = {"current": _NOBODYS_SECRET}
        if row is not None:
            try:
                known = webhook_secrets(self._runtime.settings, row, now)
            except SealBroken:
                log.error("git_source.seal_broken", source_id=row["id"])
        matches = [name for name, secret in known.items() if host.is_signed(delivery, secret, now)]
        return matches[0] if matches and row is not None else None


async def remove_left_webhooks(
    job: JobContext, project_id: str, source_id: str | None = None, *, patient: bool
) -> None:
    """At the providers, for sources that are gone. What cannot be done is told on the timeline; `patient`: a provider
    that is away is asked again later. Raises `GitHostUnavailable`."""
    async with job.transaction(write=False) as context:
        left = await GitService(context).left_webhooks(project_id, source_id)
    for row in left:
        failure: TouchstoneError | None = None
        try:
            async with job.transaction(write=False) as context:
                credential = GitService(context).credential(row)
            async with _provider(job.settings, row, credential) as (host, api, path):
                await host.remove(api, path, row["hook_id"])
        except SealBroken:
            failure = NoProvider()
        except TouchstoneError as error:
            if patient and isinstance(error, GitHostUnavailable):
                raise
            failure = error
        async with job.transaction() as context:
            await GitService(context).forget_webhook(row, failure)


@asynccontextmanager
async def _provider(
    settings: Settings, row: Row, credential: Credential | None
) -> AsyncIterator[tuple[GitHost, Api, str]]:
    """The provider of a repository, its API, and the path of the repository's webhooks there. No redirect is followed:
    the credential goes to the provider alone. Raises `NoProvider`."""
    if row["provider"] is None or credential is None:
        raise NoProvider
    host, target = PROVIDERS[Provider(row["provider"])], parse_url(row["url"])
    base = row["api_url"] or host.api_url(target)
    limits = HttpLimits(deadline_s=settings.http.deadline_s, max_body_bytes=_MAX_ANSWER_BYTES)
    is_token = row["credential_kind"] == CredentialKind.TOKEN
    async with HttpClient(outgoing_policy(settings), limits=limits) as client:
        yield host, Api(client.send, base, host.authorization(credential, is_token=is_token)), host.hooks(target, base)


def webhook_secrets(settings: Settings, row: Row, now: datetime) -> dict[str, str]:
    """`current`, and `previous` while it is still good. Raises `SealBroken`."""
    held = json.loads(sealer(settings).open(row["webhook_sealed"], _webhook_place(row["id"])))
    secrets_by_name = {"current": held["current"]}
    if "previous" in held and now.timestamp() < held["until"]:
        secrets_by_name["previous"] = held["previous"]
    return secrets_by_name


def for_git(credential: GitCredential | None, provider: str | None) -> Credential | None:
    """git always asks for a user name; providers take any with a token, or one of their own."""
    if credential is None:
        return None
    usual = PROVIDERS[Provider(provider)].username if provider else GitHost.username
    return Credential(credential.username or usual, credential.secret)


def _order(values: Mapping[str, Any], credential: Credential | None) -> CheckoutOrder:
    return CheckoutOrder(values["name"], values["url"], values["branch"], values["subfolder"], credential)


def _new_secret() -> str:
    """32 random bytes in the form that GitLab's signing tokens have; to the others it is a text."""
    return SIGNING_PREFIX + b64encode(secrets.token_bytes(32)).decode()


_NOBODYS_SECRET: Final = _new_secret()


def _credential_place(source_id: str) -> str:
    return f"git_sources/{source_id}/credential"


def _webhook_place(source_id: str) -> str:
    return f"git_sources/{source_id}/webhook"
