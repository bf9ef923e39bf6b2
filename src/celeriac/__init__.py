"""Celeriac watches Celery clusters and brings dead workers back."""

__version__ = "0.1.0"
