"""Asks a foundation through the PyPI package cloudfoundry-client, which did not come from us.

It runs in `.venv-cloudfoundry-client`, apart from the tests. Each line on standard input is an order, `["scale", guid, 3]`;
each line on standard output is its answer: `{"told": ...}`, or `{"refused": {...}}` with the package's own error.
Where the package has no call of its own, its session is used with the link that the foundation gave.
"""

import json
import sys

from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.errors import InvalidStatusCode
from oauth2_client.credentials_manager import OAuthError


class Asking:
    """One login, and what is asked with it."""

    client: CloudFoundryClient

    def log_in(self, url, name, password):
        self.client = CloudFoundryClient(url)
        self.client.init_with_user_credentials(name, password)
        return self.client.info.api_v3_url

    def log_in_as_robot(self, url, name, secret):
        self.client = CloudFoundryClient(url, client_id=name, client_secret=secret)
        self.client.init_with_client_credentials()

    def log_in_as_cf(self, config):
        """Go on with the refresh token that the `cf` command has kept."""
        self.client = CloudFoundryClient.build_from_cf_config(config)

    def tokens(self):
        return [self.client._access_token, self.client.refresh_token]

    def organizations(self):
        return list(self.client.v3.organizations)

    def spaces(self, org_guid):
        return list(self.client.v3.spaces.list(organization_guids=[org_guid]))

    def roles(self):
        return list(self.client.v3.roles.list(types=["space_developer"]))

    def quotas(self):
        return list(self.client.v3.organization_quotas)

    def apps(self, **filters):
        """List apps in pages of one, each with the space and organization that come with it."""
        apps = self.client.v3.apps.list(per_page=1, order_by="name", include="space.organization", **filters)
        return apps.total_results, [[app, app.space(), app.space().organization()] for app in apps]

    def app(self, name):
        return self.client.v3.apps.get_first(names=name)

    def environment(self, app_guid):
        return self.client.v3.apps.get_env(app_guid)

    def parts(self, app_guid):
        """List what an app consists of, by the package's own calls, and read its manifest."""
        apps = self.client.v3.apps
        listed = (apps.list_routes(app_guid), apps.list_packages(app_guid), apps.list_droplets(app_guid))
        return [list(each) for each in listed], apps.get_manifest(app_guid)

    def current_droplet(self, app_guid):
        return self.client.v3.apps[app_guid].current_droplet()

    def processes(self, app_guid):
        return list(self.client.v3.apps[app_guid].processes())

    def stats(self, process_guid):
        return list(self.client.v3.processes[process_guid].stats())

    def instances(self, process_guid):
        return list(self.client.v3.processes[process_guid].process_instances())

    def app_of(self, process_guid):
        return self.client.v3.processes[process_guid].app()

    def restart(self, app_guid):
        return self.client.v3.apps.restart(app_guid)

    def stop(self, app_guid):
        return self.client.v3.apps[app_guid].stop()

    def start(self, app_guid):
        return self.client.v3.apps[app_guid].start()

    def scale(self, process_guid, instances):
        return self.client.v3.processes[process_guid].scale(data={"instances": instances})

    def restart_instance(self, process_guid, index):
        process = self.client.v3.processes[process_guid]
        return self.client.delete(f"{process['links']['self']['href']}/instances/{index}").status_code

    def deploy(self, app_guid):
        body = {"strategy": "rolling", "relationships": {"app": {"data": {"guid": app_guid}}}}
        return self.client.post(f"{self.client.info.api_v3_url}/deployments", json=body).json()

    def events(self, app_guid):
        return list(self.client.v3.audit_events.list(target_guids=app_guid, order_by="-created_at", per_page=2))

    def recent_logs(self, app_guid):
        """Read log-cache, the newest first."""
        links = self.client.get(f"{self.client.info.api_endpoint}/").json()["links"]
        params = {"descending": "true", "envelope_types": "LOG", "limit": 1000}
        answer = self.client.get(f"{links['log_cache']['href']}/api/v1/read/{app_guid}", params=params)
        return answer.json()["envelopes"]["batch"]

    def missing(self):
        """Name what this foundation does not have, as the package reads its links."""
        return [part for part in ("v2", "doppler", "rlpgateway") if not self._has(part)]

    def _has(self, part):
        try:
            getattr(self.client, part)
        except NotImplementedError:
            return False
        return True


def answer(asking, order, *arguments):
    named = arguments.pop() if (arguments := list(arguments)) and isinstance(arguments[-1], dict) else {}
    try:
        return {"told": getattr(asking, order)(*arguments, **named)}
    except InvalidStatusCode as error:
        return {"refused": {"status": error.status_code, "body": error.body, "request_id": error.request_id}}
    except OAuthError as error:
        return {"refused": {"status": error.status_code, "body": error.error_description, "request_id": None}}


def main():
    asking = Asking()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(asking, *json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
