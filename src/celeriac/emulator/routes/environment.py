"""What an app is given to run with: its variables, its services, its features; each role sees a part of it."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from celeriac.emulator.access import JsonBody, Reader, Writer
from celeriac.emulator.entities import App
from celeriac.emulator.environment import vcap_application
from celeriac.emulator.errors import not_found, unprocessable
from celeriac.emulator.presenters import HIDDEN
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3/apps/{guid}")

_FEATURES = {
    "ssh": "Enable SSHing into the app.",
    "revisions": "Enable versioning of an application",
    "service-binding-k8s": "Enable k8s service bindings for the app",
    "file-based-vcap-services": "Enable file-based VCAP service bindings for the app",
}


@router.get("/env")
def show_env(guid: str, view: Reader) -> dict[str, Any]:
    """Show everything that the app's instances are given; who may not see secrets does not see the services."""
    app = _variables_of(view, guid)
    workload = view.here.controller.workload(guid)
    view.here.audit.show("environment", workload, view.actor)
    secrets = view.may(Right.READ_SECRETS, app.space_guid)
    return {
        "staging_env_json": {},
        "running_env_json": {},
        "environment_variables": dict(app.env),
        "system_env_json": {"VCAP_SERVICES": dict(app.services) if secrets else {"redacted_message": HIDDEN}},
        "application_env_json": {"VCAP_APPLICATION": vcap_application(workload, view.here.url)},
    }


@router.get("/environment_variables")
def show_variables(guid: str, view: Reader) -> dict[str, Any]:
    """Show the variables that people have set."""
    app = _variables_of(view, guid)
    view.here.audit.show("environment_variables", view.here.controller.workload(guid), view.actor)
    return _variables(view, app)


@router.patch("/environment_variables")
def change_variables(guid: str, view: Writer, body: JsonBody) -> dict[str, Any]:
    """Set variables, or take away those that are null; instances see it from the next start on."""
    app = view.require_order(Right.OPERATE, view.app(guid))
    told = body.get("var")
    if not isinstance(told, dict):
        raise unprocessable("Var must be an object")
    env: dict[str, str] = dict(app.env)
    for name, value in told.items():
        _refuse_name(name)
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value if isinstance(value, str) else json.dumps(value)
    return _variables(view, view.here.controller.change(guid, view.actor, env=env))


@router.get("/permissions")
def show_permissions(guid: str, view: Reader) -> dict[str, bool]:
    """Tell whether the caller may see secrets."""
    app = view.app(guid)
    return {"read_basic_data": True, "read_sensitive_data": view.may(Right.READ_SECRETS, app.space_guid)}


@router.get("/features")
def list_features(guid: str, view: Reader) -> dict[str, Any]:
    """List the features, on and off."""
    app, href = view.app(guid), {"href": f"/v3/apps/{guid}/features"}
    pages = {"total_results": len(_FEATURES), "total_pages": 1, "first": href, "last": href}
    return {
        "resources": [_feature(app, name) for name in _FEATURES],
        "pagination": pages | {"next": None, "previous": None},
    }


@router.get("/features/{name}")
def show_feature(guid: str, name: str, view: Reader) -> dict[str, Any]:
    """Show one feature."""
    return _feature(view.app(guid), name)


@router.patch("/features/{name}")
def change_feature(guid: str, name: str, view: Writer, body: JsonBody) -> dict[str, Any]:
    """Turn a feature on or off; it is shown and has no effect."""
    app = view.app(guid)
    _feature(app, name)
    view.require_order(Right.OPERATE if name == "revisions" else Right.CHANGE, app)
    if not isinstance(body.get("enabled"), bool):
        raise unprocessable("Enabled must be a boolean")
    features = app.features | {name} if body["enabled"] else app.features - {name}
    return _feature(view.here.controller.change(guid, view.actor, features=features), name)


def _variables_of(view: View, guid: str) -> App:
    view.require_feature("env_var_visibility")
    app = view.require(Right.READ_VARIABLES, view.app(guid))
    view.require_feature("space_developer_env_var_visibility")
    return app


def _variables(view: View, app: App) -> dict[str, Any]:
    link, base = view.here.presenters.link, f"/v3/apps/{app.guid}"
    links = {"self": link(f"{base}/environment_variables"), "app": link(base)}
    return {"var": dict(app.env), "links": links}


def _refuse_name(name: str) -> None:
    refused: Mapping[bool, str] = {
        not name: "cannot be blank",
        name.startswith("VCAP_"): "cannot start with VCAP_",
        name == "PORT": "cannot set PORT",
    }
    if True in refused:
        raise unprocessable(f"Environment variables {refused[True]}")


def _feature(app: App, name: str) -> dict[str, Any]:
    if name not in _FEATURES:
        raise not_found("Feature")
    return {"name": name, "description": _FEATURES[name], "enabled": name in app.features}
