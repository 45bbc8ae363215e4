"""What is fetched from suppliers: facets swept as a whole, message pools, and re-reads of what messages name.

What comes in are feeds like any other.
"""

from gateway.pulls.replay import PullReplays
from gateway.pulls.reread_requests import RereadRequests

__all__ = ["PullReplays", "RereadRequests"]
