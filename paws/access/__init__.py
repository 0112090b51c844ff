"""Who may see what: one rule, as a pure function and as an SQL predicate."""
