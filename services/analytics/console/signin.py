"""What visitors see of whom nobody knows who they are."""

from html import escape
from http import HTTPStatus

from starlette.responses import HTMLResponse

__all__ = ["sign_in"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Annals</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 36em; margin: 15vh auto; padding: 0 1em }}
</style>
</head>
<body>
<h1>Please sign in</h1>
<p>Annals does not know who you are: {why}.</p>
<p>Open this page at the address where your company asks you to sign in, or reload it if you were
signed in a while ago. That sign-in passes your token on with every page
(<code>Authorization: Bearer …</code>); Annals itself has no passwords.</p>
</body>
</html>
"""


def sign_in(why: str) -> HTMLResponse:
    """Return the page that says how to sign in.

    Args:
        why: what is wrong with the visitor's token, for people.
    """
    return HTMLResponse(
        _PAGE.format(why=escape(why.rstrip("."))),
        HTTPStatus.UNAUTHORIZED,
        {"Cache-Control": "no-store", "WWW-Authenticate": "Bearer"},
    )
