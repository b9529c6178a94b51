"""The providers, one file for each kind, and those that an installation has."""

from typing import Final

from backend.app.core.settings import OidcProvider, Settings
from backend.app.modules.auth.sso.providers.base import Provider
from backend.app.modules.auth.sso.providers.github import GitHub
from backend.app.modules.auth.sso.providers.openid import OpenId, Trust

GITHUB: Final = ("https://github.com", "https://api.github.com")
GOOGLE: Final = "https://accounts.google.com"
_GOOGLE_MAIL: Final = frozenset({"gmail.com", "googlemail.com"})


def configured_providers(
    settings: Settings, *, github: tuple[str, str] = GITHUB, google: str = GOOGLE
) -> dict[str, Provider]:
    """By name, in the order in which they are offered. `github`: its site and its API; `google`: its issuer."""
    sso, providers = settings.sso, list[Provider]()
    if sso.github_client_id and sso.github_client_secret:
        providers.append(GitHub(*github, sso.github_client_id, sso.github_client_secret.get_secret_value()))
    if sso.google_client_id and sso.google_client_secret:
        own = OidcProvider(
            issuer=google, client_id=sso.google_client_id, client_secret=sso.google_client_secret, label="Google"
        )
        providers.append(_openid("google", own, _google_knows, settings))
    for name, provider in sso.oidc.items():
        providers.append(_openid(name, provider, _trusted_for(provider.trusted_domains), settings))
    return {provider.name: provider for provider in providers}


def _openid(name: str, provider: OidcProvider, trust: Trust, settings: Settings) -> OpenId:
    return OpenId(
        name=name,
        label=provider.label or name,
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=provider.client_secret.get_secret_value(),
        trust=trust,
        require_https=not settings.embedded,
    )


def _trusted_for(domains: tuple[str, ...]) -> Trust:
    folded = {domain.casefold() for domain in domains}
    return lambda domain, claims: "*" in folded or domain in folded


def _google_knows(domain: str, claims: dict[str, object]) -> bool:
    """Google vouches for its own mail domains and those that it hosts (`hd`); any other address may have changed hands
    since it was verified (Google Identity, "Verify the Google ID token on your server side")."""
    return domain in _GOOGLE_MAIL or claims.get("hd") == domain
