"""Where people work together: workspaces, who is in them with which role, and invitations."""
