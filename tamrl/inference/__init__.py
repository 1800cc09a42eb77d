"""Inference: trained members predict towers and the globe, tile by tile."""

from tamrl.intake import machine

machine.check_address_space()
