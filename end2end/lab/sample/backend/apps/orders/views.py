from django.db import IntegrityError, transaction
from rest_framework import mixins, serializers, viewsets

from apps.core.tenancy import TenantViewMixin

from .models import Order


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        # The tenant is never read from the request: it comes from the API key.
        exclude = ["tenant"]


class OrderViewSet(
    TenantViewMixin,
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def perform_create(self, serializer):
        self.save(serializer, tenant=self.request.tenant)

    def perform_update(self, serializer):
        self.save(serializer)

    def save(self, serializer, **values):
        # The constraint decides, so two requests at once cannot both take a number.
        try:
            with transaction.atomic():
                serializer.save(**values)
        except IntegrityError as error:
            if "number" not in str(error):
                raise
            raise serializers.ValidationError({"number": ["This number is taken."]}) from error
