"""What every test stands on."""

import signal

from hypothesis import settings

# A background job of a shell is started deaf to Ctrl-C, and its children would be, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine alone.
settings.register_profile("mallgate", deadline=None)
settings.load_profile("mallgate")

pytest_plugins = ("pytester", "tests.no_skips", "tests.engines")
