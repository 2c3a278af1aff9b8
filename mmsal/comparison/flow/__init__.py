"""Saliency held against optical flow."""
