"""What is fetched from suppliers: facets swept as a whole, message pools, and re-reads of what messages name.

What comes in are feeds like any other.
"""

from gateway.pulls.asking import Asking
from gateway.pulls.replay import PullReplays

__all__ = ["Asking", "PullReplays"]
