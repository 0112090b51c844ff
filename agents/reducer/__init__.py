"""From a wanted reduction to registered products: intake, queue, runner, engines."""
