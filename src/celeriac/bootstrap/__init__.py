"""The composition root: settings become adapters, adapters become services; the only place that names an adapter.

One module a role, so that each process loads what its role needs and no more.
"""
