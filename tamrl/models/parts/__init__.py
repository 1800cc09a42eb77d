"""Parts that models share: options, layers, recurrent networks and boosted trees."""
