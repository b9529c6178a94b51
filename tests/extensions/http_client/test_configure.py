from backend.app.core.settings import HttpSettings, Settings, WebSettings
from backend.app.extensions.http_client.configure import http_limits, outgoing_policy


def test_settings_become_policy_and_limits() -> None:
    settings = Settings(
        mode="production",
        http=HttpSettings(allow=("10.1.0.0/16:8080",), deadline_s=3),
        web=WebSettings(host="10.1.0.5", port=8080),
    )
    policy = outgoing_policy(settings)
    assert not policy.allow_private
    assert [str(rule.network) for rule in policy.allow] == ["10.1.0.0/16"]
    assert policy.own_addresses == (("10.1.0.5", 8080),)
    assert http_limits(settings).deadline_s == 3
    assert outgoing_policy(Settings()).allow_private
