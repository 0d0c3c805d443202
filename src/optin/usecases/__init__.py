"""What the product does: one file for each thing. Use cases know ports and the domain only."""
