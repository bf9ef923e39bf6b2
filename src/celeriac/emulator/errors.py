"""The errors that callers see: v3 bodies with their codes and titles, and UAA's own form."""


class ApiError(Exception):
    """An answer of the v3 API that is an error."""

    def __init__(self, status: int, code: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail

    def body(self) -> dict[str, object]:
        """Return the JSON body."""
        return {"errors": [{"code": self.code, "title": self.title, "detail": self.detail}]}


class UaaError(Exception):
    """An answer of the UAA that is an error."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description

    def body(self) -> dict[str, object]:
        """Return the JSON body."""
        return {"error": self.error, "error_description": self.description}


class LogCacheError(Exception):
    """An answer of the log cache that is an error; the log cache says why in plain text, if at all."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def not_authenticated() -> ApiError:
    """No token came."""
    return ApiError(401, 10002, "CF-NotAuthenticated", "Authentication error")


def invalid_token() -> ApiError:
    """The token is not ours, or expired."""
    return ApiError(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")


def not_authorized() -> ApiError:
    """The token lacks a scope."""
    return ApiError(403, 10003, "CF-NotAuthorized", "You are not authorized to perform the requested action")


def not_found(what: str) -> ApiError:
    """There is no such app, process or instance."""
    return ApiError(404, 10010, "CF-ResourceNotFound", f"{what} not found")


def unknown_request() -> ApiError:
    """There is no such path."""
    return ApiError(404, 10000, "CF-NotFound", "Unknown request")


def bad_query(detail: str) -> ApiError:
    """A query parameter is unknown or has a wrong value."""
    return ApiError(400, 10005, "CF-BadQueryParameter", f"The query parameter is invalid: {detail}")


def parse_error() -> ApiError:
    """The body is not JSON."""
    detail = "Request invalid due to parse error: invalid request body"
    return ApiError(400, 1001, "CF-MessageParseError", detail)


def unprocessable(detail: str) -> ApiError:
    """The request makes no sense for this thing."""
    return ApiError(422, 10008, "CF-UnprocessableEntity", detail)


def org_suspended() -> ApiError:
    """The organization takes no orders."""
    return ApiError(403, 10017, "CF-OrgSuspended", "The organization is suspended")


def feature_disabled(name: str) -> ApiError:
    """The foundation's feature flag is off."""
    return ApiError(403, 330002, "CF-FeatureDisabled", f"Feature Disabled: {name}")


def instances_unavailable() -> ApiError:
    """Diego does not tell what runs."""
    detail = "Instances information unavailable: Unable to communicate with Diego"
    return ApiError(503, 220002, "CF-InstancesUnavailable", detail)


def diego_unavailable() -> ApiError:
    """Diego takes no order."""
    return ApiError(503, 170015, "CF-RunnerUnavailable", "Runner is unavailable: Unable to communicate with Diego")


def unknown_error() -> ApiError:
    """The emulator has a defect."""
    return ApiError(500, 10001, "UnknownError", "An unknown error occurred.")
