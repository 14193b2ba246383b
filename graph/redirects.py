"""Check redirect URLs as Entra does: learn.microsoft.com/entra/identity-platform/reply-url."""

from graph.calls import parts_of

LONGEST = 256
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})
_UNSUPPORTED = frozenset("!$'(),;")


def redirect_problem(url: str) -> str | None:
    """Return the problem with a redirect URL as a sentence, or None."""
    if len(url) > LONGEST:
        return f"The redirect URL is longer than {LONGEST} characters."
    if any(character.isspace() or not character.isprintable() for character in url):
        return "The redirect URL holds spaces or characters that cannot be printed."
    if "\\" in url:
        return "The redirect URL holds a backslash, which browsers read as a slash."
    if bad := sorted(_UNSUPPORTED.intersection(url)):
        return f"Entra does not accept {' '.join(bad)} in a redirect URL."
    parts = parts_of(url)
    if parts is None:
        return "The redirect URL is not a URL."
    host = parts.hostname
    if not parts.scheme or not host:
        return "The redirect URL must be absolute, like https://example.com/callback."
    if parts.scheme not in ("https", "http"):
        return f"The redirect URL must start with https://, not with {parts.scheme}://."
    if not host.isascii():
        return "Write the host of the redirect URL in ASCII (xn--…): letters may look alike."
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
        return "The redirect URL must start with https://; http:// is only for localhost."
    if parts.username is not None or parts.fragment or "*" in host:
        return "The redirect URL must not hold a user name, a fragment (#…) or a wildcard."
    return None
