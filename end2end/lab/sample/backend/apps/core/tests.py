import os
from io import StringIO
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError
from django.test import SimpleTestCase, TestCase, override_settings

from projectmeats.environment import comma_separated, required, running_commit


class HealthTests(TestCase):
    url = "/api/v1/health/"

    @override_settings(COMMIT="ae2bac0")
    def test_says_ok_and_which_commit_runs(self):
        response = self.client.get(self.url)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(
            response.json(), {"status": "ok", "commit": "ae2bac0", "database": "ok"}
        )

    def test_still_answers_when_the_database_does_not(self):
        with patch("apps.core.views.connection") as connection:
            connection.cursor.side_effect = OperationalError("connection refused")
            response = self.client.get(self.url)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json()["database"], "unavailable")

    def test_answers_a_probe_that_asks_for_localhost(self):
        response = self.client.get(self.url, headers={"host": "localhost:8000"})
        self.assertEqual(response.status_code, 200)

    def test_refuses_a_host_name_that_is_not_ours(self):
        response = self.client.get(self.url, headers={"host": "example.org"})
        self.assertEqual(response.status_code, 400)

    def test_only_reads(self):
        self.assertEqual(self.client.post(self.url).status_code, 405)


class EnvironmentTests(SimpleTestCase):
    def test_lists_are_separated_by_commas(self):
        with patch.dict(os.environ, {"ALLOWED_HOSTS": "a.example, b.example,"}):
            self.assertEqual(comma_separated("ALLOWED_HOSTS"), ["a.example", "b.example"])

    def test_a_missing_value_is_named(self):
        with patch.dict(os.environ, {"SECRET_KEY": ""}):
            with self.assertRaisesMessage(ImproperlyConfigured, "SECRET_KEY is not set"):
                required("SECRET_KEY")

    def test_the_commit_can_be_given_by_the_environment(self):
        with patch.dict(os.environ, {"COMMIT_SHA": "0123abc"}):
            self.assertEqual(running_commit(), "0123abc")


class MigrationTests(TestCase):
    def test_the_migrations_match_the_models(self):
        call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())
