"""Storage decides: every question to the database, by topic, each a function of one transaction.

    async with database.transaction() as tx:
        registration = await registrations.locked(tx, id)

`locked` updates the registration's row first, so that whoever comes second waits and then sees
what the first one did.
"""
