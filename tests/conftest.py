"""What every test stands on."""

from hypothesis import settings

# How long an example takes says something about the machine alone.
settings.register_profile("mallgate", deadline=None)
settings.load_profile("mallgate")

pytest_plugins = ("pytester", "tests.no_skips", "tests.engines")
