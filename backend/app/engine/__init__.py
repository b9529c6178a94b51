"""Pure logic that several modules share: no database, no web framework, no sockets."""
