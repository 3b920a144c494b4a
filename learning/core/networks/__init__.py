"""The networks behind the backbones: torch modules, loaded only to export them."""
