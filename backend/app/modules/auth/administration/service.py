"""The rules of the users of the installation: it always has an administrator who can sign in."""

from typing import Any

from backend.app.core.context import ServiceContext
from backend.app.core.errors import PermissionDenied
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest
from backend.app.db.session import after_commit
from backend.app.modules.auth.administration.errors import LastAdministrator, UserNotFound
from backend.app.modules.auth.administration.events import UserDisabled, UserEnabled, UserRoleChanged
from backend.app.modules.auth.administration.repository import UserFilter, UserRepository
from backend.app.modules.auth.administration.schemas import ManagedUser, ManagedUserUpdate
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.models import UserRole
from backend.app.modules.auth.service import acting, add_user


class AdministrationService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._users = UserRepository(context.session)

    async def page(self, wanted: UserFilter, request: PageRequest) -> Page[ManagedUser]:
        """Raises `InvalidCursor`."""
        return request.page(await self._users.page(wanted, request.after(), request.limit + 1), "id")

    async def get(self, user_id: str) -> ManagedUser:
        """Raises `UserNotFound`."""
        row = await self._users.get(user_id)
        if row is None:
            raise UserNotFound
        return ManagedUser.model_validate(row)

    async def update(self, user_id: str, wanted: ManagedUserUpdate, if_match: str | None) -> ManagedUser:
        """Raises `UserNotFound`, `PreconditionFailed`, `LastAdministrator`."""
        administrators = await self._users.lock_administrators()
        if self._context.principal.user_id not in administrators:
            raise PermissionDenied
        user = await self._locked(user_id)
        if if_match is not None:
            require_match(if_match, entity_tag(user.updated_at))
        sent = wanted.model_fields_set
        role = wanted.role if "role" in sent else user.role
        disabled = wanted.disabled if "disabled" in sent else user.disabled_at is not None
        if administrators == {user_id} and (role is not UserRole.ADMIN or disabled):
            raise LastAdministrator
        return await self._change(user, role, disabled=disabled)

    async def appoint(self, email: str, values: dict[str, Any] | None = None) -> bool:
        """For who holds the machine: an account becomes an enabled administrator whose address counts as verified.
        `values`: columns of `users`, with which the account is made if there is none. False when there is none and
        nothing to make it from."""
        await self._users.lock_administrators()
        user_id = await self._users.id_of(email)
        if user_id is None and values is not None:
            made = await add_user(self._context, {**values, "email": email})
            user_id = made.id if made else None
        if user_id is None:
            return False
        user = await self._locked(user_id)
        if user.email_verified_at is None:
            await self._users.change(user_id, {"email_verified_at": self._context.clock()})
        await self._change(user, UserRole.ADMIN, disabled=False)
        return True

    async def _locked(self, user_id: str) -> ManagedUser:
        row = await self._users.lock(user_id)
        if row is None:
            raise UserNotFound
        return ManagedUser.model_validate(row)

    async def _change(self, user: ManagedUser, role: UserRole, *, disabled: bool) -> ManagedUser:
        now = self._context.clock()
        values: dict[str, Any] = {}
        events: list[Event] = []
        if role is not user.role:
            values["role"] = role
            events.append(UserRoleChanged(user_id=user.id, before=user.role, role=role))
        if disabled != (user.disabled_at is not None):
            values["disabled_at"] = now if disabled else None
            events.append(UserDisabled(user_id=user.id) if disabled else UserEnabled(user_id=user.id))
        if not values:
            return await self.get(user.id)
        await self._users.change(user.id, {**values, "updated_at": now})
        if disabled:
            await self._users.end_sessions(user.id, now)  # ASVS 5, 7.4.2
        context = self._context
        context = acting(context, context.principal.user_id, await self._users.personal_workspace(user.id))
        for event in events:
            await context.hub.publish(event, context)
        after_commit(context.session, proven.forget)
        return await self.get(user.id)
