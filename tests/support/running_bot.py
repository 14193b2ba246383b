"""A bot that a test starts itself."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bot.app import App

LOOK_EVERY = 0.1


Bot = Callable[..., AbstractAsyncContextManager[App]]
