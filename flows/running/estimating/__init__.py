"""What is expected of a plan on this machine, and what that rests on."""
