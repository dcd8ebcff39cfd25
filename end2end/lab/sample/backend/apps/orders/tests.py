from django.db import IntegrityError
from rest_framework.test import APITestCase

from apps.core.models import Tenant

from .models import Order

URL = "/api/v1/orders/"


class OrderTests(APITestCase):
    @classmethod
    def setUpTestData(cls):
        cls.north, cls.north_key = Tenant.create_with_key("Northern Beef")
        cls.south, cls.south_key = Tenant.create_with_key("Southern Pork")

    def setUp(self):
        self.act_for(self.north_key)

    def act_for(self, key):
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    def add_order(self, tenant, number="A-1"):
        return Order.objects.create(
            tenant=tenant, number=number, customer="Corner Deli", product="Brisket", weight_kg="12.50"
        )

    def body(self, **changes):
        return {
            "number": "A-1", "customer": "Corner Deli", "product": "Brisket", "weight_kg": "12.50",
            **changes,
        }

    def test_nobody_reads_without_a_key(self):
        self.client.credentials()
        response = self.client.get(URL)
        self.assertEqual(response.status_code, 401)
        self.assertEqual(response["WWW-Authenticate"], "Bearer")

    def test_an_unknown_key_is_refused(self):
        self.act_for("not-a-key")
        self.assertEqual(self.client.get(URL).status_code, 401)

    def test_the_key_itself_is_not_stored(self):
        self.assertNotIn(self.north_key, Tenant.objects.values_list("key_hash", flat=True))

    def test_a_tenant_lists_only_its_own_orders(self):
        self.add_order(self.north, "N-1")
        self.add_order(self.south, "S-1")
        response = self.client.get(URL)
        self.assertEqual([order["number"] for order in response.json()["results"]], ["N-1"])

    def test_an_order_of_another_tenant_does_not_exist(self):
        foreign = self.add_order(self.south)
        self.assertEqual(self.client.get(f"{URL}{foreign.pk}/").status_code, 404)
        response = self.client.patch(f"{URL}{foreign.pk}/", {"status": "shipped"})
        self.assertEqual(response.status_code, 404)

    def test_a_new_order_belongs_to_the_tenant_of_the_key(self):
        response = self.client.post(URL, self.body(tenant=self.south.pk))
        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(Order.objects.get().tenant, self.north)

    def test_a_number_is_taken_once_per_tenant(self):
        self.add_order(self.north)
        response = self.client.post(URL, self.body())
        self.assertEqual(response.status_code, 400)
        self.assertEqual(response.json(), {"number": ["This number is taken."]})
        self.act_for(self.south_key)
        self.assertEqual(self.client.post(URL, self.body()).status_code, 201)

    def test_the_database_itself_keeps_numbers_unique(self):
        self.add_order(self.north)
        with self.assertRaises(IntegrityError):
            self.add_order(self.north)

    def test_an_order_weighs_something(self):
        response = self.client.post(URL, self.body(weight_kg="0"))
        self.assertEqual(response.status_code, 400)
        self.assertIn("weight_kg", response.json())

    def test_an_order_can_be_confirmed_with_a_delivery_date(self):
        order = self.add_order(self.north)
        response = self.client.patch(
            f"{URL}{order.pk}/", {"status": "confirmed", "delivery_on": "2026-03-02"}
        )
        self.assertEqual(response.status_code, 200, response.content)
        order.refresh_from_db()
        self.assertEqual((order.status, str(order.delivery_on)), ("confirmed", "2026-03-02"))
