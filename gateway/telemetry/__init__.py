"""What the gateway says about itself: logs, metrics, health, and the crash points that tests arm."""
