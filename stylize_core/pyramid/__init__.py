"""Pictures made from coarse to fine."""
