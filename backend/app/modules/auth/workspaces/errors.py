"""What can go wrong with workspaces, members and invitations."""

from backend.app.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied


class MemberNotFound(NotFound):
    code = "member.not_found"
    title = "There is no such member of the workspace"


class InvitationNotFound(NotFound):
    code = "invitation.not_found"
    title = "There is no such open invitation"


class InvalidInvitation(InvalidInput):
    """Unknown, used, withdrawn, expired, for another address, or by somebody who may not give that role any more; which
    of them is not said."""

    code = "invitation.invalid"
    title = "The invitation does not work: ask for another one, and sign in with the address that was invited"


class RoleNotHeld(PermissionDenied):
    code = "member.role_not_held"
    title = "You can neither give nor take a role that may do more than you"


class LastOwner(Conflict):
    code = "workspace.last_owner"
    title = "A workspace has an owner: make somebody else one first"


class PersonalWorkspace(Conflict):
    code = "workspace.personal"
    title = "A personal workspace stays, and stays its person's"


class AlreadyMember(Conflict):
    code = "member.exists"
    title = "Somebody with this e-mail address is a member already"


class TooManyInvitations(Conflict):
    code = "invitation.too_many"
    title = "Too many invitations of the workspace are open: withdraw some"
