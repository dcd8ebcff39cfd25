from django.contrib import admin

from .models import Tenant


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    list_display = ["name", "created_at"]

    def has_add_permission(self, request):
        # A tenant is made with its key, see the README.
        return False
