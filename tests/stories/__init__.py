"""Stories over the playground or a database: what users do, and what they then see."""
