"""Where a result came from: code, machine, user."""
