"""The gateway: intake, normalising, publishing, relaying and everything operators stand on."""
