"""The outside world, one file or folder a technology; none imports another, and only `bootstrap` names them."""
