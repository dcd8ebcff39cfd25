"""Where the configuration comes from: the process environment, then backend/.env.

In a container the variables are already set. On a server, manage.py is run by hand or by the
deployment and finds the same file there. A variable that is set always wins over the file.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent


def load_environment():
    # No interpolation: a secret key may contain a dollar sign.
    load_dotenv(BASE_DIR / ".env", interpolate=False)
    # Without any word the strict settings apply, so nothing goes live half configured.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "projectmeats.settings.production")


def required(name):
    value = os.environ.get(name)
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Add it to the environment or to {BASE_DIR / '.env'}."
        )
    return value


def comma_separated(name):
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def running_commit():
    """The commit this code was built from, or "unknown".

    COMMIT holds a placeholder that `git archive` replaces; COMMIT_SHA overrides it.
    """
    if sha := os.environ.get("COMMIT_SHA"):
        return sha
    try:
        text = (BASE_DIR / "COMMIT").read_text().strip()
    except OSError:
        return "unknown"
    return "unknown" if not text or text.startswith("$Format") else text
