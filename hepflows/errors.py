"""The errors of hepflows: each says what was expected and what came."""


class HepflowsError(Exception):
    """Base of the errors that a user can mend; the command line prints them in one line."""


class InputError(HepflowsError, ValueError):
    """An argument or a file is not what the function expects."""


class MissingExtraError(HepflowsError, ImportError):
    """A function needs packages of an optional extra that is not installed."""


class DataError(HepflowsError, OSError):
    """A data file is missing, changed, truncated or laid out differently."""
