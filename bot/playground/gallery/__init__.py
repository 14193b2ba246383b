"""The gallery: every card, message and modal in every state, from made-up registrations.

The page shows it to authors of a text; tests hold every payload to the rules of the workspace.
"""
