"""Side by side with peers: speed as ratios, measured in one run."""
