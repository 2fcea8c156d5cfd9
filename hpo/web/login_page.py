"""The one page that those see who have not logged in; it says nothing of what is in the store."""

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>hpo: log in</title></head>
<body><main><h1>hpo</h1>
{said}
<form action="/login" method="get">
<p><label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Log in</button></p>
</form>
<p>The command <code>hpo ui</code> prints an address that needs no typing.</p>
</main></body></html>
"""


def login_page(status: int, *, has_users: bool, was_wrong: bool = False) -> HTMLResponse:
    """Asks for the token."""
    said = '<p role="alert">That was wrong.</p>' if was_wrong else ""
    if has_users:
        said += "<p>With a name and a password: <a href='/'>go to the page</a>, and the browser asks for them.</p>"
    return HTMLResponse(_PAGE.format(said=said), status)
