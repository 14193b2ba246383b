"""Block Kit as the workspace knows it: what is allowed, what is named, and how it looks as text."""
