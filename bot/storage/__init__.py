"""Storage decides: every question to the database, by topic, each a function of one transaction.

    async with database.transaction() as tx:
        registration = await registrations.locked(tx, id)

`locked` updates the registration's row first, so that a second transaction waits and then
sees the changes of the first.
"""
