"""The virtual Earth: a simulation that writes raw files in the formats of the providers, and the true fluxes."""
