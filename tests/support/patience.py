"""How long a test waits for what should come: only a test that fails waits that long."""

SECONDS = 240  # more than a busy machine takes for anything
