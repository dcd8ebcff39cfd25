import hashlib
import secrets

from django.db import models


def key_digest(key):
    # A key has 256 random bits, so a plain hash is enough to keep it out of the database.
    return hashlib.sha256(key.encode()).hexdigest()


class Tenant(models.Model):
    """A company that uses the app. All tenants share the tables; rows carry the tenant."""

    name = models.CharField(max_length=120, unique=True)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    @classmethod
    def create_with_key(cls, name):
        """Returns the tenant and its API key, which is not stored and cannot be shown again."""
        key = secrets.token_urlsafe(32)
        return cls.objects.create(name=name, key_hash=key_digest(key)), key


class TenantOwned(models.Model):
    """Base of every model whose rows belong to one tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="%(class)ss")

    class Meta:
        abstract = True
