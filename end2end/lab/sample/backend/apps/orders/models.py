from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models

from apps.core.models import TenantOwned


class Order(TenantOwned):
    class Status(models.TextChoices):
        DRAFT = "draft"
        CONFIRMED = "confirmed"
        SHIPPED = "shipped"

    number = models.CharField(max_length=40)
    customer = models.CharField(max_length=120)
    product = models.CharField(max_length=120)
    weight_kg = models.DecimalField(
        max_digits=9, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    # Unknown until the customer names a day.
    delivery_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="order_number_per_tenant")
        ]

    def __str__(self):
        return self.number
