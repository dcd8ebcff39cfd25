from django.conf import settings
from django.db import Error, connection
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def health(request):
    """Answers 200 as long as the process serves requests, and says how the database is."""
    return JsonResponse(
        {"status": "ok", "commit": settings.COMMIT, "database": database_state()}
    )


def database_state():
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "unavailable"
    return "ok"
