"""The model: registrations, the catalogue of profiles, forms, connector values. Pure, no I/O."""
