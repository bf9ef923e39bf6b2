"""A whole cluster on one machine: Redis, a local Cloud Foundry with real Celery workers, work for them, and Celeriac."""
