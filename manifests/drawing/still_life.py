"""To come."""
from drawing.noise import Array
def draw(width: int) -> Array: raise NotImplementedError
