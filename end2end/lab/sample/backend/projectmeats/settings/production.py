from projectmeats.environment import comma_separated, required

from .base import *  # noqa: F403

SECRET_KEY = required("SECRET_KEY")
for name in ("DATABASE_URL", "ALLOWED_HOSTS"):
    required(name)

DEBUG = False

# nginx in front of the app ends TLS and sets the header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = comma_separated("CORS_ALLOWED_ORIGINS")
