"""The forms of proof, as pure functions: passwords, access tokens, refresh tokens, API keys."""
