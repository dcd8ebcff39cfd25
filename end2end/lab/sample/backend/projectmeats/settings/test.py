from .base import *  # noqa: F403

SECRET_KEY = "only-for-tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")  # noqa: F405

# Refused requests are what many tests are about; their log lines would hide a real problem.
LOGGING["loggers"] = {"django": {"level": "CRITICAL"}}  # noqa: F405
