"""What a command said."""


def said(result):
    """Return its output, once it is sure that it went well."""
    assert result.exit_code == 0, result.output
    return result.stdout
