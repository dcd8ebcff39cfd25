from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.core.views import health
from apps.orders.views import OrderViewSet

router = SimpleRouter()
router.register("orders", OrderViewSet, basename="order")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/health/", health),
    path("api/v1/", include(router.urls)),
]
