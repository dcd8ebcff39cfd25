from django.contrib import admin

from .models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "tenant", "customer", "product", "weight_kg", "status"]
    list_filter = ["tenant", "status"]
    search_fields = ["number", "customer"]
