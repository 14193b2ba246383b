"""The page of the demo: the simulated workspace, tenant and vendor in a browser.

The page's own process holds the simulators and serves loopback only. The bot is a process of its
own, which can be killed. `static/` is plain HTML, CSS and ES modules.
"""
