"""The errors that people meet, each one clear sentence.

* CeleriacError
  + SettingsError        a setting is missing, unknown or wrong: names the setting and the fix
  + PortError            something outside did not do what was asked
    - UnreachableError   no answer; a retry may help
      . SparedError      it was not asked, as it is asked seldom enough; a retry after some seconds helps
    - RefusedError       it answered no (login, rights, quota); a retry does not help
    - MissingError       it does not know the thing; a retry does not help
    - ConflictError      it is busy with something else, or the thing changed meanwhile; a retry may help
  + AccessError          somebody may not, or has not shown who they are
    - DeniedError        they are known, and no role of theirs allows it
    - SignOnError        they are not known: they must sign on, or what they brought has ended
      . StaleSignOnError the provider must say anew who they are
    - NotTakenError      what they brought to sign on with is not taken: forged, replayed, for somebody else
    - ThrottledError     they tried too often; `after_s` seconds later they may try again
"""


class CeleriacError(Exception):
    """Base of all errors whose text is meant for people."""


class SettingsError(CeleriacError):
    """A setting is missing, unknown or wrong."""


class PortError(CeleriacError):
    """Something outside did not do what was asked; `retryable` tells whether asking again may help."""

    retryable = False


class UnreachableError(PortError):
    """No answer, or none in time: whether the request took effect is not known."""

    retryable = True


class SparedError(UnreachableError):
    """It was not asked now, to spare it: says nothing of its state; `after_s` seconds later it is asked again."""

    def __init__(self, text: str, *, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class RefusedError(PortError):
    """The other side answered no."""


class MissingError(PortError):
    """The other side does not know what was asked for."""


class ConflictError(PortError):
    """The other side is in another state than the request assumes."""

    retryable = True


class AccessError(CeleriacError):
    """Somebody may not, or has not shown who they are."""


class DeniedError(AccessError):
    """They are known, and no role of theirs allows it."""


class SignOnError(AccessError):
    """They are not known: they must sign on."""


class StaleSignOnError(SignOnError):
    """They are known, and the provider must say anew who they are."""


class NotTakenError(AccessError):
    """What they brought is not taken; the text is for people, and never holds what they brought."""


class ThrottledError(AccessError):
    """They tried too often."""

    def __init__(self, text: str, *, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s
