"""Single sign-on: signing in through GitHub, Google, or any OpenID Connect provider."""
