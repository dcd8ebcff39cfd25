#!/usr/bin/env python
import os
import sys

from projectmeats.environment import load_environment


def main():
    if sys.argv[1:2] == ["test"]:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "projectmeats.settings.test")
    load_environment()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
