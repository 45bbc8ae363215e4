"""The demo: a vendor pushes feeds through the real gateway, good, bad, repeated and out of date."""
