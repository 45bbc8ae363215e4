"""What every test stands on."""

pytest_plugins = ("pytester", "tests.no_skips", "tests.engines")
