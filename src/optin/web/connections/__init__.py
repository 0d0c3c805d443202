"""What carries requests and answers: HTTP on a socket, beneath every door (H5, H6)."""
