"""Saliency held against the known evidence of SYNTHETIC clips, and what deleting it does."""
