"""Adapt trained models to a tower with a few months of its fluxes.

Where a model has a code for each site, the code alone is adjusted and the decoder stays as it is, as in the few-shot setting of
Renganathan et al. 2025 (arXiv 2310.04727), here for all three fluxes; other networks are fine-tuned, trees are continued.
"""
