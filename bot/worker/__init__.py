"""Background work: the scheduler, the engine, replicas, loops and the orphan scan."""
