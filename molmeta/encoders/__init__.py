"""Encoders turn inputs into vectors, and are the only rooms that know molecules from images."""
