"""Celery's events from Redis: redis-py connects, then our own reader takes the socket over.

What a burst asks of a subscriber: Redis cuts off one that is 32 MB behind, so a thread does nothing but empty the socket
into memory, and the messages are taken apart by native code in the caller's thread (measured: docs/explanation/performance.md).
"""

from celeriac.adapters.redis_events.stream import RedisEvents

__all__ = ["RedisEvents"]
