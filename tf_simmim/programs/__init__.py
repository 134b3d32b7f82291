"""Programs: flags -> objects -> run. `experiments/` launches them."""
