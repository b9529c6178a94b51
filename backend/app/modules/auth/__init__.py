"""Who you are and what you may do: users, sessions, API keys, workspaces, members, roles."""
