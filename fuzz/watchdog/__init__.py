"""The watchdog: looks at the target after each play, and lays what it saw before the oracles."""
