"""Runner: takes durable jobs, has an engine do them, registers what comes out."""
