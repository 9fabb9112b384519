"""What is done beside runs: a first manifest, a look at the machine, and what is left over."""
