"""What the answers of a layer mean: which mistake explains them, and where they are right."""
