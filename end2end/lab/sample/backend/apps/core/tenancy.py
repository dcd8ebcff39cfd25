"""Which tenant a request acts for: the one whose API key it carries."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

from .models import Tenant, key_digest


class TenantKeyAuthentication(BaseAuthentication):
    """Reads `Authorization: Bearer <key>` and sets `request.tenant`."""

    def authenticate(self, request):
        request.tenant = None
        scheme, _, key = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        request.tenant = Tenant.objects.filter(key_hash=key_digest(key.strip())).first()
        if request.tenant is None:
            raise AuthenticationFailed("This API key is not known.")
        return None, request.tenant

    def authenticate_header(self, request):
        return "Bearer"


class HasTenant(BasePermission):
    def has_permission(self, request, view):
        return request.tenant is not None


class TenantViewMixin:
    """Limits a view set to the rows of the caller's tenant."""

    def get_queryset(self):
        return super().get_queryset().filter(tenant=self.request.tenant)
