"""The assignment alone: its two layers, its accuracy tests, its titles of images, and its marks."""
