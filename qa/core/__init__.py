"""What every package needs and nobody owns: database, errors, clock, actor, audit, outbox, jobs, storage."""
