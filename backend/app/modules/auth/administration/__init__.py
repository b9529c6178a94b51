"""The users of the installation, for its administrators."""
