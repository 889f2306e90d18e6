"""The platform for third-party code: the one module plugins import, hooks, isolation."""
