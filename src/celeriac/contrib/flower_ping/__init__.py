"""Signs people on to Flower 2.2 at an OpenID provider, PingFederate first, by Celeriac's own table of roles.

It runs in Flower's environment: `--auth_provider=celeriac.contrib.flower_ping.login.LoginHandler`.
"""
