"""Pictures: bytes to tensors and back."""
