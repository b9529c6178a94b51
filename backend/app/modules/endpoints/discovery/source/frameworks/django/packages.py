"""What well-known packages add to an application that includes their URLconfs or their models in its admin site.

Their source is not in the repository, their routes are the application's all the same. Taken from the route tables of
their releases of 2025.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.python.routes import strings

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.frameworks.django.settings import Settings

URLCONFS: dict[str, dict[str, str]] = {
    "django.conf.urls.i18n": {
        "*": "setlang/",
    },
    "django.contrib.admindocs.urls": {
        "GET": ". bookmarklets/ tags/ filters/ views/ views/{view}/ models/ models/{app_label}.{model_name}/ "
        "templates/{template}/",
    },
    "django.contrib.auth.urls": {
        "GET POST PUT": "login/ password_change/ password_reset/ reset/{uidb64}/{token}/",
        "POST": "logout/",
        "GET": "password_change/done/ password_reset/done/ reset/done/",
    },
    "django.contrib.flatpages.urls": {
        "*": "{url}",
    },
    "allauth.account.urls": {
        "GET POST PUT": "login/ signup/ reauthenticate/ email/ password/change/ password/set/ password/reset/ "
        "login/code/confirm/ password/reset/key/{uidb36}-{key}/",
        "GET POST": "logout/ confirm-email/{key}/",
        "GET": "inactive/ password/reset/key/done/ password/reset/done/",
        "*": "confirm-email/",
    },
    "allauth.account.urls:code": {
        "GET POST PUT": "login/code/",
    },
    "allauth.headless.urls": {
        "GET": "config",
        "GET DELETE": "auth/session",
        "POST": "auth/reauthenticate auth/code/confirm auth/password/request auth/login auth/signup "
        "auth/email/verify/resend auth/phone/verify auth/phone/verify/resend account/password/change",
        "GET POST": "auth/password/reset auth/email/verify account/phone",
        "GET POST PUT PATCH DELETE": "account/email",
    },
    "allauth.headless.urls:code": {
        "POST": "auth/code/request auth/code/resend",
    },
    "allauth.headless.urls:mfa": {
        "POST": "auth/2fa/authenticate auth/2fa/reauthenticate",
        "GET POST": "auth/webauthn/authenticate auth/webauthn/reauthenticate account/authenticators/recovery-codes",
        "GET": "account/authenticators",
        "GET POST DELETE": "account/authenticators/totp",
        "GET POST PUT DELETE": "account/authenticators/webauthn",
    },
    "allauth.headless.urls:passkey": {
        "GET POST": "auth/webauthn/login",
    },
    "allauth.headless.urls:socialaccount": {
        "GET DELETE": "account/providers",
        "GET POST": "auth/provider/signup",
        "POST": "auth/provider/redirect auth/provider/token",
    },
    "allauth.headless.urls:usersessions": {
        "GET DELETE": "auth/sessions",
    },
    "allauth.mfa.urls:passkey": {
        "GET POST PUT": "webauthn/login/",
    },
    "allauth.idp.urls": {
        "GET": ".well-known/openid-configuration .well-known/jwks.json",
        "GET POST PUT": "identity/o/authorize identity/o/logout",
        "*": "identity/o/device",
        "POST": "identity/o/api/token identity/o/api/revoke identity/o/api/device/code",
        "GET POST": "identity/o/api/userinfo",
    },
    "allauth.mfa.urls": {
        "GET": ". recovery-codes/ recovery-codes/download/ webauthn/",
        "GET POST": "authenticate/",
        "GET POST PUT": "reauthenticate/ totp/activate/ totp/deactivate/ recovery-codes/generate/ webauthn/add/ "
        "webauthn/reauthenticate/ webauthn/keys/{pk}/edit/",
        "GET POST DELETE": "webauthn/keys/{pk}/remove/",
    },
    "allauth.socialaccount.urls": {
        "GET": "login/cancelled/ login/error/",
        "GET POST PUT": "signup/ .",
    },
    "allauth.urls:social": {
        "GET POST PUT PATCH DELETE": "social/login/cancelled/ social/login/error/ social/signup/ social/connections/",
    },
    "allauth.usersessions.urls": {
        "GET POST PUT": ".",
    },
    "captcha.urls": {
        "*": "image/{key}/ image/{key}@2/ audio/{key}.wav refresh/",
    },
    "ckeditor_uploader.urls": {
        "POST": "upload/",
        "*": "browse/",
    },
    "dj_rest_auth.registration.urls": {
        "POST": ". resend-email/",
        "GET POST": "verify-email/",
        "GET": "account-confirm-email/{key}/ account-email-verification-sent/",
    },
    "dj_rest_auth.urls": {
        "POST": "password/reset/ password/reset/confirm/ login/ password/change/",
        "GET POST": "logout/",
        "GET PUT PATCH": "user/",
    },
    "django_ckeditor_5.urls": {
        "POST": "image_upload/",
    },
    "django_comments.urls": {
        "POST": "post/",
        "*": "posted/ flag/{comment_id}/ flagged/ delete/{comment_id}/ deleted/ approve/{comment_id}/ approved/ "
        "cr/{var}/cr/(d)/{var}/",
    },
    "django_prometheus.urls": {
        "*": "metrics",
    },
    "django_registration.backends.activation.urls": {
        "GET": "activate/complete/ register/complete/ register/closed/",
        "GET POST PUT": "activate/ register/",
    },
    "django_registration.backends.one_step.urls": {
        "GET POST PUT": "register/",
        "GET": "register/closed/ register/complete/",
    },
    "django_rest_passwordreset.urls": {
        "POST": "validate_token/ confirm/ .",
    },
    "django_rq.urls": {
        "*": "stats.json/ stats.json/{token}/ metrics/ . queues/{queue_index}/ queues/{queue_index}/details/ "
        "queues/{queue_index}/finished/ queues/{queue_index}/failed/ queues/{queue_index}/failed/clear/ "
        "queues/{queue_index}/scheduled/ queues/{queue_index}/started/ queues/{queue_index}/deferred/ "
        "queues/{queue_index}/empty/ queues/{queue_index}/requeue-all/ queues/{queue_index}/{job_id}/ "
        "queues/{queue_index}/{job_id}/results/{result_id}/ queues/{queue_index}/{job_id}/delete/ "
        "queues/{queue_index}/{job_id}/requeue/ queues/{queue_index}/{job_id}/enqueue/ "
        "queues/confirm-action/{queue_index}/ queues/actions/{queue_index}/ workers/{queue_index}/ "
        "workers/{queue_index}/{key}/ schedulers/{scheduler_index}/ "
        "cron-schedulers/{connection_index}/{scheduler_name}/ "
        "cron-schedulers/{connection_index}/{scheduler_name}/jobs/{cron_job_name}/",
        "POST": "queues/{queue_index}/{job_id}/stop/",
    },
    "django_select2.urls": {
        "GET": "fields/auto.json",
    },
    "django_summernote.urls": {
        "GET": "editor/{id}/",
        "GET POST": "upload_attachment/",
    },
    "djoser.social.urls": {
        "GET POST": "o/{provider}/",
    },
    "djoser.urls.authtoken": {
        "POST": "token/login/ token/logout/",
    },
    "djoser.urls.base": {
        "GET POST": "users/",
        "POST": "users/activation/ users/resend_activation/ users/reset_password/ users/reset_password_confirm/ "
        "users/reset_username/ users/reset_username_confirm/ users/set_password/ users/set_username/",
        "GET PUT PATCH DELETE": "users/me/ users/{id}/",
        "GET": ".",
    },
    "djoser.urls.jwt": {
        "POST": "jwt/create/ jwt/refresh/ jwt/verify/",
    },
    "explorer.urls": {
        "GET POST": "{query_id}/ play/ favorite/{query_id}",
        "GET": "{query_id}/download {query_id}/stream schema/{connection} schema.json/{connection} logs/ favorites/ "
        ". table-descriptions/ connections/ connections/{pk}/ connections/create_upload/ "
        "connections/{pk}/refresh/",
        "POST": "download {query_id}/email_csv format/ assistant/ assistant/history/ connections/upload/ "
        "connections/validate/",
        "GET POST DELETE": "{pk}/delete table-descriptions/{pk}/delete/ connections/{pk}/delete/",
        "GET POST PUT": "new/ table-descriptions/new/ table-descriptions/{pk}/update/ connections/new/ "
        "connections/{pk}/edit/",
    },
    "filer.server.urls": {
        "*": "smedia/filer_private/{path} smedia/filer_private_thumbnails/{path}",
    },
    "filer.urls": {
        "*": "canonical/{uploaded_at}/{file_id}/",
    },
    "health_check.urls": {
        "GET": ". {subset}/",
    },
    "hijack.urls": {
        "POST": "acquire/ release/",
    },
    "impersonate.urls": {
        "*": "stop/ list/ search/ {uid}/",
    },
    "invitations.urls": {
        "GET POST PUT": "send-invite/",
        "POST": "send-json-invite/",
        "GET POST": "accept-invite/{key}/",
    },
    "knox.urls": {
        "POST": "login/ logout/ logoutall/",
    },
    "loginas.urls": {
        "POST": "login/user/{user_id}/",
        "*": "logout/",
    },
    "markdownx.urls": {
        "GET POST PUT": "upload/",
        "POST": "markdownify/",
    },
    "martor.urls": {
        "*": "markdownify/ uploader/ search-user/",
    },
    "mozilla_django_oidc.urls": {
        "GET": "callback/ authenticate/",
        "GET POST": "logout/",
    },
    "oauth2_provider.urls": {
        "GET": ".well-known/oauth-authorization-server .well-known/oauth-authorization-server/{issuer_path} "
        ".well-known/oauth-protected-resource .well-known/oauth-protected-resource/{resource_path} "
        "device-grant-status/{client_id}/{user_code} applications/ applications/{pk}/ authorized_tokens/ "
        ".well-known/openid-configuration/ .well-known/jwks.json",
        "GET POST PUT": "authorize/ device/ device-confirm/{client_id}/{user_code} applications/register/ "
        "applications/{pk}/update/ logout/",
        "POST": "token/ revoke_token/ device-authorization/ register/",
        "GET POST": "introspect/ userinfo/",
        "GET POST DELETE": "applications/{pk}/delete/ authorized_tokens/{pk}/delete/",
        "GET PUT DELETE": "register/{client_id}/",
    },
    "registration.backends.simple.urls": {
        "GET": "register/closed/ password/change/done/ password/reset/complete/ password/reset/done/",
        "GET POST": "register/",
        "GET POST PUT": "login/ password/change/ password/reset/ password/reset/confirm/{uidb64}/{token}/",
        "POST": "logout/",
    },
    "rest_framework.urls": {
        "GET POST PUT": "login/",
        "POST": "logout/",
    },
    "rosetta.urls": {
        "GET POST PUT PATCH DELETE": ". files/",
        "GET": "files/{po_filter}/ files/{po_filter}/{lang_id}/{idx}/download/",
        "GET POST": "files/{po_filter}/{lang_id}/{idx}/",
        "*": "translate/",
    },
    "silk.urls": {
        "GET POST": ". requests/ request/{request_id}/profiling/ profiling/ cleardb/",
        "GET": "request/{request_id}/ request/{request_id}/sql/ request/{request_id}/sql/{sql_id}/ "
        "request/{request_id}/raw/ request/{request_id}/pyprofile/ request/{request_id}/json/ "
        "request/{request_id}/profile/{profile_id}/ request/{request_id}/profile/{profile_id}/sql/ "
        "request/{request_id}/profile/{profile_id}/sql/{sql_id}/ profile/{profile_id}/ "
        "profile/{profile_id}/sql/ profile/{profile_id}/sql/{sql_id}/ request/{request_id}/cprofile/",
    },
    "social_django.urls": {
        "*": "login/{backend}/ complete/{backend}/",
        "POST": "disconnect/{backend}/ disconnect/{backend}/{association_id}/",
    },
    "tinymce.urls": {
        "*": "flatpages_link_list/ compressor/ filebrowser/",
    },
    "watchman.urls": {
        "*": ". dashboard/ ping/",
    },
    "webpush.urls": {
        "GET": "jsi18n/ service-worker.js",
        "POST": "save_information",
    },
}
"""By module: paths by their methods; `.` is the empty path."""

INCLUDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "allauth.account.urls": (("ACCOUNT_LOGIN_BY_CODE_ENABLED", "", "allauth.account.urls:code"),),
    "allauth.headless.urls": (
        ("allauth.mfa", "", "allauth.headless.urls:mfa"),
        ("allauth.socialaccount", "", "allauth.headless.urls:socialaccount"),
        ("allauth.usersessions", "", "allauth.headless.urls:usersessions"),
        ("ACCOUNT_LOGIN_BY_CODE_ENABLED", "", "allauth.headless.urls:code"),
        ("MFA_PASSKEY_LOGIN_ENABLED", "", "allauth.headless.urls:passkey"),
    ),
    "allauth.mfa.urls": (("MFA_PASSKEY_LOGIN_ENABLED", "", "allauth.mfa.urls:passkey"),),
    "allauth.urls": (
        ("", "", "allauth.account.urls"),
        ("allauth.mfa", "2fa/", "allauth.mfa.urls"),
        ("allauth.socialaccount", "3rdparty/", "allauth.socialaccount.urls"),
        ("allauth.socialaccount", "", "allauth.urls:social"),
        ("allauth.usersessions", "sessions/", "allauth.usersessions.urls"),
    ),
    "djoser.urls": (("", "", "djoser.urls.base"),),
}
"""By module: what it includes in its turn, as `(application or setting that there must be, prefix, module)`."""

ADMIN_MODELS: dict[str, str] = {
    "allauth.account": "account emailaddress",
    "allauth.idp.oidc": "allauth_idp_oidc client token",
    "allauth.mfa": "mfa authenticator",
    "allauth.socialaccount": "socialaccount socialapp socialtoken socialaccount",
    "allauth.usersessions": "usersessions usersession",
    "axes": "axes accessattempt accesslog accessfailurelog",
    "django.contrib.flatpages": "flatpages flatpage",
    "django.contrib.redirects": "redirects redirect",
    "django.contrib.sites": "sites site",
    "django_celery_beat": "django_celery_beat periodictask clockedschedule crontabschedule solarschedule "
    "intervalschedule",
    "django_celery_results": "django_celery_results taskresult groupresult",
    "django_comments": "django_comments comment",
    "django_otp.plugins.otp_static": "otp_static staticdevice",
    "django_otp.plugins.otp_totp": "otp_totp totpdevice",
    "django_q": "django_q schedule success failure",
    "django_rest_passwordreset": "django_rest_passwordreset resetpasswordtoken",
    "django_ses": "django_ses sesstat",
    "knox": "knox authtoken",
    "oauth2_provider": "oauth2_provider application accesstoken grant idtoken refreshtoken",
    "push_notifications": "push_notifications apnsdevice gcmdevice wnsdevice webpushdevice",
    "rest_framework.authtoken": "authtoken tokenproxy",
    "rest_framework_simplejwt.token_blacklist": "token_blacklist outstandingtoken blacklistedtoken",
    "rest_framework_tracking": "rest_framework_tracking apirequestlog",
    "social_django": "social_django usersocialauth nonce association",
    "taggit": "taggit tag",
    "waffle": "waffle flag sample switch",
    "webpush": "webpush pushinformation",
}
"""By installed application: its label, and the models that it registers with the admin site."""

ADMIN_CLASSES: dict[str, str] = {
    "django.contrib.auth.admin.UserAdmin": "{id}/password/",
    "import_export.admin.ImportMixin": "import/ process_import/",
    "import_export.admin.ExportMixin": "export/",
    "import_export.admin.ImportExportMixin": "import/ process_import/ export/",
    "import_export.admin.ImportExportModelAdmin": "import/ process_import/ export/",
    "import_export.admin.ImportExportActionModelAdmin": "import/ process_import/ export/",
    "simple_history.admin.SimpleHistoryAdmin": "{object_id}/history/{history_id}/",
}
"""By class of model admins: what it adds to the pages of a model."""

_PROVIDERS = "allauth.socialaccount.providers."


def routes_of(urlconf: str, settings: "Settings") -> Iterator[tuple[str, str]]:
    """`(method, path)` of what a package's module declares, nothing if it is not known."""
    if urlconf == "allauth.headless.urls":
        for client in strings(settings.value("HEADLESS_CLIENTS")) or ["app", "browser"]:
            yield from ((method, f"{client}/v1/{path}") for method, path in _listed(urlconf, settings))
        yield "POST", "app/v1/tokens/refresh"
        return
    yield from _listed(urlconf, settings)
    if urlconf == "allauth.urls":
        for application in sorted(settings.installed):
            if application.startswith(_PROVIDERS):
                provider = application.removeprefix(_PROVIDERS)
                start = "oidc/{provider_id}" if provider == "openid_connect" else provider
                yield "*", f"{start}/login/"
                yield "*", f"{start}/login/callback/"


def _listed(urlconf: str, settings: "Settings") -> Iterator[tuple[str, str]]:
    for methods, paths in URLCONFS.get(urlconf, {}).items():
        for path in paths.split():
            for method in methods.split():
                yield method, "" if path == "." else path
    for condition, prefix, module in INCLUDED.get(urlconf, ()):
        if not condition or condition in settings.installed or settings.value(condition):
            yield from ((method, prefix + path) for method, path in _listed(module, settings))


def is_known(urlconf: str) -> bool:
    return urlconf in URLCONFS or urlconf in INCLUDED
