"""The users of the installation over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.auth.administration.dependencies import administration_service, user_filter
from backend.app.modules.auth.administration.repository import UserFilter
from backend.app.modules.auth.administration.schemas import ManagedUser, ManagedUserUpdate
from backend.app.modules.auth.administration.service import AdministrationService

router = APIRouter()

IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]


@view(router)
class AdministrationViews:
    users: Annotated[AdministrationService, Depends(administration_service)]

    @router.get("/admin/users")
    @access_control(Permission.USERS_READ)
    async def list_users(
        self,
        page: Annotated[PageRequest, Depends(page_request)],
        wanted: Annotated[UserFilter, Depends(user_filter)],
    ) -> Envelope[list[ManagedUser]]:
        """All users of the installation, newest first."""
        return listed(await self.users.page(wanted, page))

    @router.get("/admin/users/{user_id}")
    @access_control(Permission.USERS_READ)
    async def read_user(self, user_id: Ulid) -> Envelope[ManagedUser]:
        """One user."""
        return _answer(await self.users.get(user_id))

    @router.patch("/admin/users/{user_id}")
    @access_control(Permission.USERS_WRITE)
    async def update_user(self, user_id: Ulid, body: ManagedUserUpdate, tag: IfMatch) -> Envelope[ManagedUser]:
        """Appoints or dismisses an administrator, disables or enables a user; the last administrator stays."""
        return _answer(await self.users.update(user_id, body, tag))


def _answer(user: ManagedUser) -> Envelope[ManagedUser]:
    return envelope(user, etag=entity_tag(user.updated_at))
